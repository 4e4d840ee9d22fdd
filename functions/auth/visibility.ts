import type { RepositoryName } from '../oci/reference.ts';
import type { Registry } from '../registry/registry.ts';
import { publicAmong } from '../registry/repositories.ts';
import { type Caller, may } from './access.ts';

/** Looked up where there is nothing to look up. */
const ANY = 'any' as RepositoryName;

/** The first of these repositories that the caller may pull from: by the token, by what the credential behind it is
 *  worth now, or because it is public. No candidates cost as much as one that is hidden: how long it takes must not tell
 *  whether others have something. */
export async function firstPullable(
  registry: Registry,
  caller: Caller,
  candidates: readonly RepositoryName[],
): Promise<RepositoryName | undefined> {
  for (const name of candidates) if (await may(caller, 'pull', name)) return name;
  const authority = await caller.authority();
  const byGrant = candidates.find((name) => authority?.may('pull', name));
  if (byGrant !== undefined || authority?.administers('*')) return byGrant;
  const isPublic = await publicAmong(registry, candidates.length > 0 ? candidates : [ANY]);
  return candidates.find((name) => isPublic.has(name));
}
