import type { RepositoryName } from '../oci/reference.ts';
import { type Attributes, absent, atMost, equals } from '../storage/table.ts';
import { downloadsKey } from './keys.ts';
import type { DownloadLimits, Policy } from './policies.ts';
import { LOST, untilWon } from './races.ts';
import type { Registry } from './registry.ts';

const DAY_MS = 24 * 60 * 60_000;

/** Ours: a process takes so small a part of a limit, and of what is left of it, at once; but no less than this. */
const PART_OF_LIMIT = 256;
const PART_OF_REST = 32;
const LEAST_BYTES = 1024 * 1024;

/** Ours: who was refused is told so for so long before somebody looks again. */
const REFUSED_MS = 5_000;

/** Ours: counts of so many days can be looked at. */
const KEPT_DAYS = 7;

const MAX_LEASES = 10_000;

/** From here on it is worth a mail. */
const MUCH = 0.8;

/** A download that is about to begin. */
export interface Download {
  readonly repository: RepositoryName;
  readonly principal: string;
  readonly isAnonymous: boolean;
  readonly bytes: number;
}

/** What a policy allows whom of a day, in bytes. */
export interface DownloadLimit {
  readonly policy: string;
  readonly of: keyof DownloadLimits;
  readonly limit: number;
  /** Whose limit it is, where each has one. */
  readonly principal?: string;
}

/** So many bytes of a limit are taken, the first time that it is much. */
export interface DownloadsLine extends DownloadLimit {
  readonly is: 'downloads';
  readonly used: number;
}

/** What this process has taken of a limit in advance, and not used. */
interface Lease {
  readonly day: number;
  left: number;
  taking?: Promise<boolean> | undefined;
  refused?: { readonly at: number; readonly bytes: number } | undefined;
}

/** The day of a moment (milliseconds since 1970), in UTC, as the number of days since 1970. */
const dayOf = (moment: number) => Math.floor(moment / DAY_MS);

/** Milliseconds since 1970: when the limits begin anew. */
export const nextDay = (moment: number) => (dayOf(moment) + 1) * DAY_MS;

/** The limits that a download counts for, of the policies of its repository. */
export function limitsOf(
  policies: readonly Policy[],
  { principal, isAnonymous }: Pick<Download, 'principal' | 'isAnonymous'>,
): DownloadLimit[] {
  return policies.flatMap(({ name: policy, downloads = {} }): DownloadLimit[] => {
    const { all, anonymous, principal: each } = downloads;
    return [
      ...(all === undefined ? [] : [{ policy, of: 'all' as const, limit: all }]),
      ...(isAnonymous && anonymous !== undefined
        ? [{ policy, of: 'anonymous' as const, limit: anonymous }]
        : []),
      ...(!isAnonymous && each !== undefined
        ? [{ policy, of: 'principal' as const, limit: each, principal }]
        : []),
    ];
  });
}

/** What one process has of the limits of the day. Bytes are taken of a limit in advance, some at once, on condition that they are there: so all processes
 *  together never give more than the limit, and most downloads write nothing. What a process that ends had left is lost for the day. */
export class DownloadLeases {
  readonly #leases = new Map<string, Lease>();
  readonly #tell: (line: DownloadsLine) => void;

  constructor(tell: (line: DownloadsLine) => void) {
    this.#tell = tell;
  }

  /** Takes the bytes of each limit, or of none: then it answers the limit that has too few left. */
  async take(
    registry: Registry,
    limits: readonly DownloadLimit[],
    bytes: number,
  ): Promise<DownloadLimit | undefined> {
    const taken: Lease[] = [];
    for (const limit of limits) {
      const lease = this.#leaseOf(registry, limit);
      if (!(await this.#takeOf(registry, { limit, lease, bytes }))) {
        for (const each of taken) each.left += bytes;
        return limit;
      }
      taken.push(lease);
    }
    return undefined;
  }

  #leaseOf({ now }: Registry, limit: DownloadLimit): Lease {
    const day = dayOf(now());
    const id = `${limit.policy} ${limit.of} ${limit.principal ?? ''}`;
    const known = this.#leases.get(id);
    if (known?.day === day) return known;
    const lease: Lease = { day, left: 0 };
    this.#leases.delete(id);
    this.#leases.set(id, lease);
    const [eldest] = this.#leases.keys();
    if (this.#leases.size > MAX_LEASES && eldest !== undefined) this.#leases.delete(eldest);
    return lease;
  }

  async #takeOf(registry: Registry, asked: { limit: DownloadLimit; lease: Lease; bytes: number }) {
    const { limit, lease, bytes } = asked;
    for (;;) {
      if (lease.left >= bytes) {
        lease.left -= bytes;
        return true;
      }
      // Who comes together takes together.
      if (lease.taking !== undefined) {
        await lease.taking.catch(() => undefined);
        continue;
      }
      const { refused } = lease;
      if (refused && bytes >= refused.bytes && registry.now() - refused.at < REFUSED_MS) return false;
      lease.taking = this.#extend(registry, { limit, lease, need: bytes - lease.left });
      try {
        if (!(await lease.taking)) {
          lease.refused = { at: registry.now(), bytes };
          return false;
        }
      } finally {
        lease.taking = undefined;
      }
    }
  }

  /** False where fewer than `need` bytes are left. */
  async #extend(
    registry: Registry,
    { limit, lease, need }: { limit: DownloadLimit; lease: Lease; need: number },
  ): Promise<boolean> {
    const { policy, of, principal } = limit;
    const key = downloadsKey(lease.day, policy, principal ?? of);
    const expiresAt = Math.floor((lease.day + KEPT_DAYS) * (DAY_MS / 1000));
    return untilWon(registry, async () => {
      const found = await registry.table.get(key);
      const part = nextPart(limit, found, need);
      if (!part) return false;
      const { size, tells, when } = part;
      const told = (tells || !found) && { told: tells };
      const update = { update: key, add: { used: size }, set: { expiresAt, ...told }, when };
      if (!(await registry.table.write([update])).committed) return LOST;
      lease.left += size;
      if (tells) this.#tell({ is: 'downloads', ...limit, used: usedIn(found) + size });
      return true;
    });
  }
}

/** How many bytes to take next, whether to tell of it, and on what condition; `undefined` where fewer than `need` are left. */
function nextPart({ limit }: DownloadLimit, found: Attributes | undefined, need: number) {
  const used = usedIn(found);
  const rest = limit - used;
  if (rest < need) return undefined;
  const part = Math.max(Math.min(limit / PART_OF_LIMIT, rest / PART_OF_REST), LEAST_BYTES);
  const size = Math.ceil(Math.min(rest, Math.max(need, part)));
  const tells = found?.['told'] !== true && used + size >= MUCH * limit;
  const isFirst = tells ? [equals('told', false)] : [];
  return { size, tells, when: found ? [atMost('used', limit - size), ...isFirst] : [absent] };
}

const usedIn = (found: Attributes | undefined) => (found?.['used'] as number | undefined) ?? 0;

/** How many bytes are taken of a limit on the day of now. */
export async function usedOf(
  { table, now }: Registry,
  { policy, of, principal }: DownloadLimit,
): Promise<number> {
  return usedIn(await table.get(downloadsKey(dayOf(now()), policy, principal ?? of)));
}
