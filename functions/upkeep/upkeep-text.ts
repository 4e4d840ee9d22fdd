import { sizeText } from '../oci/quota-errors.ts';
import type { DownloadsLine } from '../registry/download-limits.ts';
import type { UpkeepLine } from './stage.ts';

/** A line for people. */
export function upkeepText({ repository, policies, ...line }: UpkeepLine): string {
  const who = `${policies.length > 1 ? 'the policies' : 'the policy'} ${policies.join(', ')}`;
  if (line.is === 'fills') {
    const amount = (n: number) => (line.kind === 'bytes' ? sizeText(n) : `${n} tags`);
    return `${repository} has ${amount(line.used)} of the ${amount(line.limit)} that ${who} allows`;
  }
  const what = `${line.tags} tags and ${line.manifests} manifests of ${repository}`;
  if (line.is === 'deleted') return `${who} deleted ${what}`;
  const until = new Date(line.until).toISOString();
  return `${who} would delete ${what}, and waits until ${until}, or for: stowage policy confirm ${policies[0]}`;
}

/** The same of a limit of downloads. */
export function downloadsText({ policy, of, principal, used, limit }: DownloadsLine): string {
  const who = principal ?? { all: 'everybody', anonymous: 'who has no login', principal: 'one' }[of];
  return `downloads by ${who} have taken ${sizeText(used)} of the ${sizeText(limit)} a day that the policy ${policy} allows`;
}
