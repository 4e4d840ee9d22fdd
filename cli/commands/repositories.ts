import { setTimeout } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Repository, Usage } from '../../api/types.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import type { Api } from '../api.ts';
import { Failure } from '../failure.ts';
import type { Columns } from '../output.ts';
import { ask } from '../prompt.ts';
import { onRegistry, type Session } from '../session.ts';
import { dayText, facts, sizeText, timeText } from '../text.ts';
import { repositoryValue } from '../values.ts';

export function addRepositoryCommands(program: Command): void {
  const repo = program.command('repo').description('repositories: what they hold, visibility, deletion');
  repo
    .command('list')
    .description('list the repositories you may pull')
    .option('--prefix <text>', 'only those whose names begin so')
    .option('--usage', 'with tags, size, last push and pull: reads each of them whole, one after another')
    .action(onRegistry(listRepositories));
  const on = (name: string, description: string) =>
    repo.command(name).description(description).argument('<repository>', '', repositoryValue);
  on('show', 'show a repository: its size, what it holds, its last push and pull').action(
    onRegistry(showRepository),
  );
  on('public', 'let everybody pull, without a login; makes the repository where there is none').action(
    onRegistry((session, name: RepositoryName) => setVisibility(session, name, 'public')),
  );
  on('private', 'let only those pull who have a grant').action(
    onRegistry((session, name: RepositoryName) => setVisibility(session, name, 'private')),
  );
  on('delete', 'delete a repository with everything in it')
    .option('--yes', 'do not ask')
    .action(onRegistry(deleteRepository));
}

interface ListOptions {
  readonly prefix?: string;
  readonly usage?: boolean;
}

async function listRepositories({ api, output }: Session, options: ListOptions): Promise<void> {
  const query = { prefix: options.prefix };
  const { entries } = await api.list<Repository>('/repositories', 'repositories', { query });
  const columns: Columns<Repository> = {
    NAME: ({ name }) => name,
    VISIBILITY: ({ visibility }) => visibility,
  };
  if (!options.usage) return output.list('repositories', entries, columns);
  const used: (Repository & { readonly usage: Usage })[] = [];
  for (const entry of entries) used.push({ ...entry, usage: await usageOf(api, entry.name) });
  output.list('repositories', used, {
    ...columns,
    TAGS: ({ usage }) => usage.repository && `${usage.repository.tags}`,
    SIZE: ({ usage }) => usage.repository && sizeText(usage.repository.bytes),
    'LAST PUSH': ({ usage }) => timeText(usage.lastPushAt),
    'LAST PULL': ({ usage }) => dayText(usage.lastPulledAt),
  });
}

const usageOf = (api: Api, name: string) => api.get<Usage>(`/repositories/${name}/-/usage`);

async function showRepository({ api, output }: Session, name: RepositoryName): Promise<void> {
  const repository = await api.get<Repository>(`/repositories/${name}`);
  const usage = await usageOf(api, name);
  output.result({ ...repository, usage }, () =>
    facts([
      ['name', repository.name],
      ['visibility', repository.visibility],
      ['created', timeText(repository.createdAt)],
      ...factsOf(usage),
    ]),
  );
}

function factsOf({ repository, referrers = 0, uploadBytes = 0, lastPushAt, lastPulledAt }: Usage) {
  if (!repository) return [['size', 'too large to be read in one request']] as const;
  const { bytes, blobs, tags, manifests } = repository;
  return [
    ['size', `${sizeText(bytes)} in ${blobs} ${blobs === 1 ? 'blob' : 'blobs'}`],
    ['tags', `${tags}`],
    ['manifests', `${manifests}, ${referrers} of them referrers`],
    ['uploads', uploadBytes > 0 ? `${sizeText(uploadBytes)} under way` : undefined],
    ['last push', timeText(lastPushAt) || 'none'],
    ['last pull', dayText(lastPulledAt) || 'none on record'],
  ] as const;
}

async function setVisibility(
  { api, output }: Session,
  name: RepositoryName,
  visibility: 'public' | 'private',
): Promise<void> {
  output.done(await api.put(`/repositories/${name}`, { visibility }), `${name} is ${visibility}`);
}

async function deleteRepository(
  { api, output }: Session,
  name: RepositoryName,
  { yes }: { readonly yes?: boolean },
): Promise<void> {
  if (!yes) await confirm(name);
  for (;;) {
    const { status, headers } = await api.delete(`/repositories/${name}`);
    if (status !== 202) break;
    await setTimeout(Number(headers.get('retry-after') ?? 0) * 1000);
  }
  output.say(`deleted ${name}`);
}

async function confirm(name: RepositoryName): Promise<void> {
  const question = `Delete ${name} with all its tags and images, for good? Type its name: `;
  const answer = await ask(question, `no terminal to ask whether to delete ${name}; say --yes`);
  if (answer.trim() !== name) throw new Failure('nothing was deleted');
}
