import { anyMatcherOf } from '../oci/pattern.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { Table } from '../storage/table.ts';
import { coverageOf, listPolicies } from './policies.ts';
import type { Registry } from './registry.ts';
import { lasting } from './until.ts';

/** Ours: how long a change may take to hold for pulls. */
const FRESH_MS = 60_000;

interface Ignoring {
  readonly covers: (name: string) => boolean;
  readonly matches: (principal: string) => boolean;
}

interface Known {
  readonly readAt: number;
  readonly policies: Promise<readonly Ignoring[]>;
}

/** What each process has read. */
const known = new WeakMap<Table, Known>();

/** Whether a policy says that the pulls of whoever acts do not count here. A process reads the policies for it at most once a
 *  minute, and only where a pull would be written down. */
export async function isIgnored(registry: Registry, repository: RepositoryName): Promise<boolean> {
  const { actor } = registry;
  if (actor === undefined) return false;
  const policies = await ignoringIn(lasting(registry));
  return policies.some(({ covers, matches }) => covers(repository) && matches(actor));
}

function ignoringIn(registry: Registry): Promise<readonly Ignoring[]> {
  const now = registry.now();
  const before = known.get(registry.table);
  if (before && Math.abs(now - before.readAt) < FRESH_MS) return before.policies;
  const policies = readIgnoring(registry);
  known.set(registry.table, { readAt: now, policies });
  // What failed is read again by the next pull.
  policies.catch(() => known.delete(registry.table));
  return policies;
}

async function readIgnoring(registry: Registry): Promise<readonly Ignoring[]> {
  const policies = await listPolicies(registry);
  return policies.flatMap((policy) => {
    const ignored = policy.retention?.ignorePullsBy;
    return ignored ? [{ covers: coverageOf(policy), matches: anyMatcherOf(ignored) }] : [];
  });
}
