import type { Command } from 'commander';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import type { Tag } from '../api-types.ts';
import { onRegistry, type Session } from '../session.ts';
import { facts, sizeText, table, timeText } from '../text.ts';
import { type Image, imageValue, repositoryValue } from '../values.ts';

export function addTagCommands(program: Command): void {
  const tag = program.command('tag').description('tags of a repository, and what they were');
  tag
    .command('list')
    .description('list the tags of a repository')
    .argument('<repository>', '', repositoryValue)
    .action(onRegistry(listTags));
  tag
    .command('show')
    .description('show a tag and its history')
    .argument('<repository:tag>', '', imageValue)
    .action(onRegistry(showTag));
  tag
    .command('delete')
    .description('delete a tag; what it names stays until nothing needs it')
    .argument('<repository:tag>', '', imageValue)
    .action(onRegistry(deleteTag));
}

async function listTags({ api, output }: Session, repository: RepositoryName): Promise<void> {
  const { entries } = await api.list<Tag>(`/repositories/${repository}/-/tags`, 'tags', {
    page: 100,
  });
  output.list('tags', entries, {
    TAG: ({ name }) => name,
    DIGEST: ({ digest }) => digest,
    TYPE: typeOf,
    TAGGED: ({ taggedAt }) => timeText(taggedAt),
    BY: ({ by }) => by,
  });
}

/** In a word, where it is one of the usual. */
function typeOf({ mediaType }: Tag): string {
  if (/index|manifest\.list/.test(mediaType)) return 'index';
  return /manifest/.test(mediaType) ? 'image' : mediaType;
}

async function showTag({ api, output }: Session, { repository, tag }: Image): Promise<void> {
  const found = await api.get<Tag>(`/repositories/${repository}/-/tags/${tag}`);
  output.result(found, () => {
    const moves = (found.history ?? []).map(({ at, digest = 'deleted', by = '' }) => [
      timeText(at),
      digest,
      by,
    ]);
    return `${facts([
      ['tag', `${repository}:${found.name}`],
      ['digest', found.digest],
      ['media type', found.mediaType],
      ['manifest', sizeText(found.size)],
    ])}\n${table(['TAGGED', 'DIGEST', 'BY'], moves)}`;
  });
}

async function deleteTag({ api, output }: Session, { repository, tag }: Image): Promise<void> {
  await api.delete(`/repositories/${repository}/-/tags/${tag}`);
  output.say(`deleted ${repository}:${tag}`);
}
