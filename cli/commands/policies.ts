import type { Command } from 'commander';
import { pathOf } from '../api.ts';
import type { Policy, QuotaLimits } from '../api-types.ts';
import { Failure } from '../failure.ts';
import { readJson } from '../json-file.ts';
import { retentionFacts } from '../retention-text.ts';
import { onRegistry, type Session } from '../session.ts';
import { facts, sizeText } from '../text.ts';
import { addPolicyImport } from './policy-import.ts';

export function addPolicyCommands(program: Command): void {
  const policy = program.command('policy').description('policies: retention, immutable tags, quotas');
  policy.command('list').description('list all policies').action(onRegistry(listPolicies));
  policy.command('show <name>').description('show what a policy says').action(onRegistry(showPolicy));
  policy
    .command('set <file>')
    .description('make policies or change them, as a JSON file says: one, a list, or what list --json prints')
    .addHelpText('after', EXAMPLE)
    .action(onRegistry(setPolicies));
  addPolicyImport(policy);
  policy
    .command('delete <name>')
    .description('delete a policy; what it covered stays as it is')
    .action(onRegistry(deletePolicy));
}

const EXAMPLE = `
A policy has a name, patterns of repositories, and at least one of the other three:
  {"name": "team-a", "repositories": ["team-a/*"],
   "retention": {"pins": ["latest"],
                 "tags": [{"match": ["dev-*"], "except": ["dev-main"], "keepLast": 10, "keepPulledWithinDays": 30},
                          {"match": ["v*"], "per": "minor", "keepHighest": 2}],
                 "untaggedAfterDays": 14},
   "immutable": {"tags": ["v*"]},
   "quota": {"each": {"tags": 500}, "together": {"bytes": 500000000000}}}
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
}

async function showPolicy({ api, output }: Session, name: string): Promise<void> {
  const policy = await api.get<Policy>(pathOf`/policies/${name}`);
  output.result(policy, () => {
    const { repositories, exceptRepositories, retention, immutable, quota } = policy;
    return facts([
      ['name', policy.name],
      ['repositories', repositories.join(' ')],
      ['but not', exceptRepositories?.join(' ')],
      ...retentionFacts(retention),
      ['immutable', immutable?.tags.join(' ')],
      ['except', immutable?.except?.join(' ')],
      ['quota of each', limitsText(quota?.each)],
      ['quota together', limitsText(quota?.together)],
    ]);
  });
}

function quotaText({ each, together }: NonNullable<Policy['quota']> = {}): string {
  const parts = [each && `${limitsText(each)} each`, together && `${limitsText(together)} together`];
  return parts.filter(Boolean).join('; ');
}

function limitsText({ bytes, tags }: QuotaLimits = {}): string {
  const parts = [bytes !== undefined && sizeText(bytes), tags !== undefined && `${tags} tags`];
  return parts.filter(Boolean).join(', ');
}

async function setPolicies({ api, output }: Session, file: string): Promise<void> {
  const set: Policy[] = [];
  for (const { name, ...policy } of policiesIn(file)) {
    set.push(await api.put<Policy>(pathOf`/policies/${name}`, policy));
    output.say(`set policy ${name}`);
  }
  output.result({ policies: set }, () => '');
}

type Named = { readonly name: string } & Readonly<Record<string, unknown>>;

/** The registry checks what they say; only their names are of interest here. */
function policiesIn(file: string): readonly Named[] {
  const content = readJson(file);
  const { policies = content } = (content ?? {}) as { readonly policies?: unknown };
  const list: readonly unknown[] = Array.isArray(policies) ? policies : [policies];
  if (list.length === 0) throw new Failure(`${file} has no policies`);
  return list.map((policy) => {
    if (isNamed(policy)) return policy;
    throw new Failure(`${file}: a policy needs a "name"; stowage policy set --help shows one`);
  });
}

const isNamed = (policy: unknown): policy is Named =>
  typeof policy === 'object' && policy !== null && 'name' in policy && typeof policy.name === 'string';

async function deletePolicy({ api, output }: Session, name: string): Promise<void> {
  await api.delete(pathOf`/policies/${name}`);
  output.say(`deleted policy ${name}`);
}
