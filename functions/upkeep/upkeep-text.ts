import { sizeText } from '../oci/quota-errors.ts';
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
