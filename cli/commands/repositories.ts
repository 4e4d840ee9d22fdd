import { setTimeout } from 'node:timers/promises';
import type { Command } from 'commander';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import type { Repository } from '../api-types.ts';
import { Failure } from '../failure.ts';
import { ask } from '../prompt.ts';
import { onRegistry, type Session } from '../session.ts';
import { facts, timeText } from '../text.ts';
import { repositoryValue } from '../values.ts';

export function addRepositoryCommands(program: Command): void {
  const repo = program.command('repo').description('repositories: visibility, deletion');
  repo.command('list').description('list the repositories you may pull').action(onRegistry(listRepositories));
  const on = (name: string, description: string) =>
    repo.command(name).description(description).argument('<repository>', '', repositoryValue);
  on('show', 'show a repository').action(onRegistry(showRepository));
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

async function listRepositories({ api, output }: Session): Promise<void> {
  const { entries } = await api.list<Repository>('/repositories', 'repositories');
  output.list('repositories', entries, {
    NAME: ({ name }) => name,
    VISIBILITY: ({ visibility }) => visibility,
  });
}

async function showRepository({ api, output }: Session, name: RepositoryName): Promise<void> {
  const repository = await api.get<Repository>(`/repositories/${name}`);
  output.result(repository, () =>
    facts([
      ['name', repository.name],
      ['visibility', repository.visibility],
      ['created', timeText(repository.createdAt)],
    ]),
  );
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
