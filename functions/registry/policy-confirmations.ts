import { createHash } from 'node:crypto';
import type { RepositoryName } from '../oci/reference.ts';
import { MAX_OPERATIONS, type Operation } from '../storage/table.ts';
import { confirmationKey, waitingFor, waitingIn } from './keys.ts';
import type { Policy } from './policies.ts';
import type { Registry } from './registry.ts';

/** What a policy says of retention, and since when, in short: as long as it is the same, so is what it deletes. */
export function retentionHash(
  { retention, retainsSince, isTeams, immutable }: Policy,
  isGuarded: boolean,
): string {
  const guards = isGuarded && !isTeams && immutable;
  if (retainsSince === undefined && !guards) return hashOf(retention ?? null);
  return hashOf([retention ?? null, retainsSince ?? null, ...(guards ? [guards] : [])]);
}

const hashOf = (content: unknown) =>
  createHash('sha256').update(JSON.stringify(content)).digest('base64url').slice(0, 16);

/** Of one that is deleted. */
const GONE = 'gone';

/** What is confirmed of a policy; `undefined` is one that is deleted. */
export const confirmedVersion = (policy: Policy | undefined) => (policy ? hashOf(contentOf(policy)) : GONE);

const contentOf = ({ repositories, exceptRepositories, retention, immutable }: Policy) => [
  ...[repositories, exceptRepositories ?? null, retention ?? null],
  ...(immutable ? [immutable] : []),
];

/** Says that a policy may act as it is, however much it deletes; `undefined` is one that is deleted. Void once it changes. */
export async function confirmPolicy(
  registry: Pick<Registry, 'table' | 'now' | 'actor'>,
  name: string,
  policy: Policy | undefined,
): Promise<void> {
  await registry.table.write([confirmation(registry, name, policy)]);
}

/** The same, in a transaction with others. */
export function confirmation(
  { now, actor }: Pick<Registry, 'now' | 'actor'>,
  name: string,
  policy: Policy | undefined,
): Operation {
  const by = actor === undefined ? {} : { by: actor };
  const attributes = { version: confirmedVersion(policy), at: now(), ...by };
  return { put: confirmationKey(name), attributes };
}

/** Whether each of these policies was confirmed as it is; one that is not among `policies` is deleted, or covers less. */
export async function areConfirmed(
  { table }: Registry,
  names: readonly string[],
  policies: readonly Policy[],
): Promise<boolean> {
  for (let start = 0; start < names.length; start += MAX_OPERATIONS) {
    const batch = names.slice(start, start + MAX_OPERATIONS);
    const found = await table.getMany(batch.map(confirmationKey));
    const isConfirmed = (name: string, index: number) =>
      found[index]?.['version'] === confirmedVersion(policies.find((policy) => policy.name === name));
    if (!batch.every(isConfirmed)) return false;
  }
  return true;
}

/** A repository where a policy waits to be confirmed. */
export interface Waiting {
  readonly policy: string;
  readonly repository: RepositoryName;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** When it acts by itself, with the first sweep from then on. */
  readonly until: number;
  /** What would go, of how many. */
  readonly tags: number;
  readonly ofTags: number;
  readonly images: number;
  readonly ofImages: number;
}

/** Where policies wait to be confirmed: one of them, or any; `most` at most. */
export async function listWaiting(
  { table, now }: Registry,
  policy: string | undefined,
  most: number,
): Promise<readonly Waiting[]> {
  const items = await table.query({ ...waitingFor(policy), limit: most });
  const all = items.map((item) => ({ ...waitingIn(item), ...item.attributes }) as unknown as Waiting);
  return all.filter(({ until }) => until + STALE_MS > now());
}

/** Ours: no sweep of the repository came to act, so it is gone. */
const STALE_MS = 7 * 24 * 60 * 60_000;
