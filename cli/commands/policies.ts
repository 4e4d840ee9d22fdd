import type { Command } from 'commander';
import type { Policy, QuotaLimits, Waiting } from '../../api/types.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { pathOf } from '../api.ts';
import { Failure } from '../failure.ts';
import { nameOf, readJson } from '../json-file.ts';
import { retentionFacts } from '../retention-text.ts';
import { onRegistry, type Session } from '../session.ts';
import { facts, sizeText, timeText } from '../text.ts';
import { repositoryValue } from '../values.ts';
import { addPolicyImport } from './policy-import.ts';
import { previewPolicies } from './previews.ts';

export function addPolicyCommands(program: Command): void {
  const policy = program.command('policy').description('retention, immutable tags, quotas, downloads');
  policy.command('list').description('list all policies').action(onRegistry(listPolicies));
  policy.command('show <name>').description('show what a policy says').action(onRegistry(showPolicy));
  policy
    .command('set <file>')
    .description('make policies or change them, as a JSON file says: one, a list, or what list --json prints')
    .option('--at-once', 'let them act however much they delete, without waiting to be confirmed')
    .addHelpText('after', EXAMPLE)
    .action(onRegistry(setPolicies));
  addPolicyImport(policy);
  policy
    .command('preview')
    .description('what policies of a file would delete if they were set, and why; nothing is set')
    .argument('<file>')
    .argument('[repository]', 'only this one (default: all that they cover)', repositoryValue)
    .option('--all', 'what they keep, too')
    .action(onRegistry(preview));
  policy
    .command('confirm <name>')
    .description('let a changed policy act that waits since it would delete much')
    .action(onRegistry(confirmPolicy));
  policy
    .command('delete <name>')
    .description('delete a policy; what it covered stays as it is')
    .option('--at-once', 'let the others act however much they delete then')
    .action(onRegistry(deletePolicy));
}

const EXAMPLE = `
A policy has a name, patterns of repositories, and at least one of the others:
  {"name": "team-a", "repositories": ["team-a/*"],
   "retention": {"pins": ["latest"],
                 "tags": [{"match": ["dev-*"], "except": ["dev-main"], "keepLast": 10, "keepPulledWithinDays": 30},
                          {"match": ["v*"], "per": "minor", "keepHighest": 2}],
                 "untaggedAfterDays": 14},
   "immutable": {"tags": ["v*"]},
   "quota": {"each": {"tags": 500}, "together": {"bytes": 500000000000}},
   "downloads": {"anonymous": 100000000000, "principal": 50000000000},
   "sparseIndexes": true}
A file of - is standard input. docs/policies.md and docs/retention-rules.md tell all of it.`;

async function listPolicies({ api, output }: Session): Promise<void> {
  const { policies } = await api.get<{ policies: Policy[] }>('/policies');
  output.list('policies', policies, {
    NAME: ({ name }) => name,
    REPOSITORIES: ({ repositories }) => repositories.join(' '),
    RETENTION: ({ retention }) => retention && 'yes',
    IMMUTABLE: ({ immutable }) => immutable?.tags.join(' '),
    QUOTA: ({ quota }) => quotaText(quota),
  });
  sayWaiting(output, await waitingFor(api));
}

const waitingFor = async (api: Session['api'], policy?: string) =>
  (await api.get<{ waiting: Waiting[] }>('/waiting', { policy })).waiting;

/** A line each. */
function sayWaiting(output: Session['output'], waiting: readonly Waiting[]): void {
  for (const { policy, repository, tags, ofTags, images, ofImages, until } of waiting) {
    const what = `${tags} of ${ofTags} tags and ${images} of ${ofImages} images of ${repository}`;
    output.say(
      `${policy} would delete ${what}, and waits until ${timeText(until)}: stowage policy confirm ${policy}`,
    );
  }
}

async function preview(
  session: Session,
  file: string,
  repository: RepositoryName | undefined,
  { all = false }: { readonly all?: boolean },
): Promise<void> {
  await previewPolicies(session, policiesIn(file), repository, all);
}

async function confirmPolicy({ api, output }: Session, name: string): Promise<void> {
  await api.post(pathOf`/policies/${name}/confirm`, {});
  output.say(`confirmed policy ${name}: it acts with the next sweep of each repository`);
}

async function showPolicy({ api, output }: Session, name: string): Promise<void> {
  const policy = await api.get<Policy>(pathOf`/policies/${name}`);
  output.result(policy, () => {
    const { repositories, exceptRepositories, retention, immutable, quota, downloads, sparseIndexes } =
      policy;
    return facts([
      ['name', policy.name],
      ['repositories', repositories.join(' ')],
      ['but not', exceptRepositories?.join(' ')],
      ...retentionFacts(retention),
      ['immutable', immutable?.tags.join(' ')],
      ['except', immutable?.except?.join(' ')],
      ['quota of each', limitsText(quota?.each)],
      ['quota together', limitsText(quota?.together)],
      ['downloads a day', downloadsText(downloads)],
      ['sparse indexes', sparseIndexes && 'allowed'],
    ]);
  });
  sayWaiting(output, await waitingFor(api, name));
}

function quotaText({ each, together }: NonNullable<Policy['quota']> = {}): string {
  const parts = [each && `${limitsText(each)} each`, together && `${limitsText(together)} together`];
  return parts.filter(Boolean).join('; ');
}

function downloadsText({ anonymous, principal, all }: NonNullable<Policy['downloads']> = {}): string {
  const parts = [
    anonymous !== undefined && `${sizeText(anonymous)} without a login`,
    principal !== undefined && `${sizeText(principal)} by each login`,
    all !== undefined && `${sizeText(all)} by everybody`,
  ];
  return parts.filter(Boolean).join(', ');
}

function limitsText({ bytes, tags }: QuotaLimits = {}): string {
  const parts = [bytes !== undefined && sizeText(bytes), tags !== undefined && `${tags} tags`];
  return parts.filter(Boolean).join(', ');
}

interface AtOnce {
  readonly atOnce?: boolean;
}

async function setPolicies({ api, output }: Session, file: string, { atOnce }: AtOnce): Promise<void> {
  const set: Policy[] = [];
  const query = atOnce ? { atOnce: 'true' } : {};
  for (const { name, ...policy } of policiesIn(file)) {
    set.push(await api.put<Policy>(pathOf`/policies/${name}`, policy, query));
    output.say(`set policy ${name}`);
    if (policy['retention'] && !atOnce)
      output.say(
        `where it would delete more than 100 images or a tenth, it waits a day, or for: stowage policy confirm ${name}`,
      );
  }
  output.result({ policies: set }, () => '');
}

type Named = { readonly name: string } & Readonly<Record<string, unknown>>;

/** The registry checks what they say; only their names are of interest here. */
function policiesIn(file: string): readonly Named[] {
  const content = readJson(file, { holds: 'policies', advice: ADVICE });
  const { policies = content } = (content ?? {}) as { readonly policies?: unknown };
  const list: readonly unknown[] = Array.isArray(policies) ? policies : [policies];
  if (list.length === 0) throw new Failure(`${nameOf(file)} has no policies; ${ADVICE}`);
  return list.map((policy) => {
    if (isNamed(policy)) return withoutOrigin(policy);
    throw new Failure(`${nameOf(file)}: a policy needs a "name"; ${ADVICE}`);
  });
}

/** A list says so of each, but nobody can set it. */
const withoutOrigin = ({ isTeams: _, ...policy }: Named): Named => policy as Named;

const isNamed = (policy: unknown): policy is Named =>
  typeof policy === 'object' && policy !== null && 'name' in policy && typeof policy.name === 'string';

const ADVICE = 'stowage policy set --help shows one';

async function deletePolicy({ api, output }: Session, name: string, { atOnce }: AtOnce): Promise<void> {
  await api.delete(pathOf`/policies/${name}`, atOnce ? { atOnce: 'true' } : {});
  output.say(`deleted policy ${name}`);
}
