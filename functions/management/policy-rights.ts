import type { Call } from '../handlers/call.ts';
import type { Authority } from '../identity/grants.ts';
import { denied } from '../oci/errors.ts';
import type { Policy } from '../registry/policies.ts';
import { authorityOf, requireAdmin } from './rights.ts';

/** Whether somebody may say what a policy says: of every repository that it can cover they are admin. */
export const mayGovern = (authority: Authority, { repositories }: Pick<Policy, 'repositories'>) =>
  repositories.every((pattern) => authority.administers(pattern));

/** 403 unless the caller is admin of something: whoever is of nothing has no policies to ask for. */
export async function requireSomeAdmin(call: Call): Promise<Authority> {
  const authority = await authorityOf(call);
  if (authority.administersAny()) return authority;
  await requireAdmin(call);
  return authority;
}

/** 403 unless the caller may set, confirm or delete the policy: an admin of the registry any, others what covers only what they
 *  are admin of, unless an admin of the registry has set it. */
export async function requirePolicy(call: Call, policy: Policy): Promise<void> {
  const authority = await authorityOf(call);
  if (authority.administers('*')) return;
  const { principal } = call.caller;
  const foreign = policy.repositories.find((pattern) => !authority.administers(pattern));
  if (foreign !== undefined) throw denied(`${principal} lacks the grant "admin" on the pattern ${foreign}`);
  if (policy.teams) throw denied('only an admin of the registry says what policies of teams may say');
  if (!policy.isTeams)
    throw denied(`the policy ${policy.name} is of the registry's admins, who alone change it`);
}
