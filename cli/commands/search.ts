import type { Command } from 'commander';
import type { SearchResult } from '../../api/types.ts';
import { onRegistry, type Session } from '../session.ts';
import { table } from '../text.ts';

export function addSearchCommand(program: Command): void {
  program
    .command('search')
    .description('find repositories, name:tag, digests')
    .argument('<text>')
    .action(onRegistry(search));
}

async function search({ api, output }: Session, text: string): Promise<void> {
  const found = await api.get<SearchResult>('/search', { q: text });
  const rows = [
    ...found.repositories.map((repository) => [repository, '']),
    ...found.tags.map(({ repository, tag, digest }) => [`${repository}:${tag}`, digest]),
    ...found.manifests.map(({ repository, digest }) => [repository, digest]),
  ];
  if (rows.length === 0) output.say(`nothing that you may pull is found by ${text}`);
  output.result(found, () => (rows.length > 0 ? table(['NAME', 'DIGEST'], rows) : ''));
  if (found.more) output.say('there may be more: give more of the name');
}
