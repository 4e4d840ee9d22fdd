import { downloadsExceeded } from '../oci/quota-errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import { type Download, DownloadLeases, type DownloadsLine, limitsOf, nextDay } from './download-limits.ts';
import { listPolicies, type Policy, policiesFor } from './policies.ts';
import type { Registry } from './registry.ts';
import { TrafficCount } from './traffic.ts';
import { lasting } from './until.ts';

/** Ours: how long a change of a policy may take to hold for downloads. */
const FRESH_MS = 60_000;

/** What this process has read of policies. */
interface Known {
  readonly readAt: number;
  /** None where none limits downloads. */
  readonly policies: Promise<readonly Policy[]>;
  /** Those that hold for a repository, each looked up once. */
  readonly of: Map<RepositoryName, readonly Policy[]>;
}

/** Counts in one process what is downloaded, and holds it to what policies allow. */
export class Downloads {
  readonly #leases: DownloadLeases;
  readonly #traffic = new TrafficCount();
  #known: Known | undefined;

  /** `tell` hears of limits of which four fifths are taken. */
  constructor(tell: (line: DownloadsLine) => void) {
    this.#leases = new DownloadLeases(tell);
  }

  /** Counts a blob, or what is sent of it, before the client is told where it is. TOOMANYREQUESTS where a policy allows no more of the day. */
  async count(registry: Registry, download: Download): Promise<void> {
    const { bytes } = download;
    const limits = limitsOf(await this.#policiesOf(registry, download.repository), download);
    const missing = limits.length === 0 ? undefined : await this.#leases.take(registry, limits, bytes);
    if (missing) throw downloadsExceeded(missing, bytes, nextDay(registry.now()) - registry.now());
    await this.#traffic.count(registry, download);
  }

  /** Writes down what was counted and is not yet. */
  async flush(registry: Registry): Promise<void> {
    await this.#traffic.flush(registry);
  }

  async #policiesOf(registry: Registry, repository: RepositoryName): Promise<readonly Policy[]> {
    const { policies, of } = this.#knownNow(lasting(registry));
    const found = of.get(repository) ?? policiesFor(await policies, repository);
    of.set(repository, found);
    return found;
  }

  #knownNow(registry: Registry): Known {
    const now = registry.now();
    const before = this.#known;
    if (before && Math.abs(now - before.readAt) < FRESH_MS) return before;
    const limiting = (all: readonly Policy[]) => (all.some(({ downloads }) => downloads) ? all : []);
    const known = { readAt: now, policies: listPolicies(registry).then(limiting), of: new Map() };
    this.#known = known;
    // What failed is read again by the next download.
    known.policies.catch(() => {
      this.#known = undefined;
    });
    return known;
  }
}
