import { downloadsExceeded } from '../oci/quota-errors.ts';
import { type Download, DownloadLeases, type DownloadsLine, limitsOf, nextDay } from './download-limits.ts';
import { listPolicies, type Policy } from './policies.ts';
import type { Registry } from './registry.ts';
import { TrafficCount } from './traffic.ts';
import { lasting } from './until.ts';

/** Ours: how long a change of a policy may take to hold for downloads. */
const FRESH_MS = 60_000;

/** Counts in one process what is downloaded, and holds it to what policies allow. */
export class Downloads {
  readonly #leases: DownloadLeases;
  readonly #traffic = new TrafficCount();
  #known: { readonly readAt: number; readonly policies: Promise<readonly Policy[]> } | undefined;

  /** `tell` hears of limits of which four fifths are taken. */
  constructor(tell: (line: DownloadsLine) => void) {
    this.#leases = new DownloadLeases(tell);
  }

  /** Counts a blob, or what is sent of it, before the client is told where it is. TOOMANYREQUESTS where a policy allows no more of the day. */
  async count(registry: Registry, download: Download): Promise<void> {
    const { bytes } = download;
    const limits = limitsOf(await this.#policies(registry), download);
    const missing = limits.length === 0 ? undefined : await this.#leases.take(registry, limits, bytes);
    if (missing) throw downloadsExceeded(missing, bytes, nextDay(registry.now()) - registry.now());
    await this.#traffic.count(registry, download);
  }

  /** Writes down what was counted and is not yet. */
  async flush(registry: Registry): Promise<void> {
    await this.#traffic.flush(registry);
  }

  #policies(hurried: Registry): Promise<readonly Policy[]> {
    const registry = lasting(hurried);
    const now = registry.now();
    const before = this.#known;
    if (before && Math.abs(now - before.readAt) < FRESH_MS) return before.policies;
    const policies = listPolicies(registry).then((all) => all.filter(({ downloads }) => downloads));
    this.#known = { readAt: now, policies };
    // What failed is read again by the next download.
    policies.catch(() => {
      this.#known = undefined;
    });
    return policies;
  }
}
