import type { Command } from 'commander';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import type { Tag, TagMove } from '../api-types.ts';
import { Failure } from '../failure.ts';
import { onRegistry, type Session } from '../session.ts';
import { byText, facts, sizeText, table, timeText } from '../text.ts';
import { digestValue, type Image, imageValue, repositoryValue } from '../values.ts';
import { restoreAll, showRestored } from './restore.ts';

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
    .command('history')
    .description('show where a tag was, also a deleted one')
    .argument('<repository:tag>', '', imageValue)
    .action(onRegistry(showHistory));
  tag
    .command('rollback')
    .description('put a tag back to where it was before its last move')
    .argument('<repository:tag>', '', imageValue)
    .option('--to <digest>', 'put it on this manifest, one of its history', digestValue)
    .option('--dry-run', 'only say what would come back')
    .action(onRegistry(rollBack));
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
    return `${facts([
      ['tag', `${repository}:${found.name}`],
      ['digest', found.digest],
      ['media type', found.mediaType],
      ['manifest', sizeText(found.size)],
    ])}\n${historyTable(found.history ?? [])}`;
  });
}

const historyTable = (history: readonly TagMove[]) =>
  table(
    ['TAGGED', 'DIGEST', 'BY'],
    history.map(({ at, digest = 'deleted', by }) => [timeText(at), digest, byText(by) ?? '']),
  );

async function showHistory({ api, output }: Session, { repository, tag }: Image): Promise<void> {
  const { history } = await historyOf(api, { repository, tag });
  output.result({ history }, () => historyTable(history));
}

const historyOf = (api: Session['api'], { repository, tag }: Image) =>
  api.get<{ history: readonly TagMove[] }>(`/repositories/${repository}/-/tags/${tag}/history`);

async function rollBack(
  session: Session,
  image: Image,
  { to, dryRun = false }: { readonly to?: string; readonly dryRun?: boolean },
): Promise<void> {
  const { repository, tag } = image;
  const { history } = await historyOf(session.api, image);
  const digest = to ?? before(history);
  if (digest === undefined) throw new Failure(`${repository}:${tag} was never on another manifest`);
  if (!history.some((move) => move.digest === digest)) {
    throw new Failure(`${repository}:${tag} was never on ${digest}`);
  }
  showRestored(session, await restoreAll(session, repository, { tag, digest, dryRun }));
}

/** What a tag was on before its last move, or before it was deleted. */
const before = ([last, ...moves]: readonly TagMove[]) =>
  moves.find(({ digest }) => digest !== undefined && digest !== last?.digest)?.digest;

async function deleteTag({ api, output }: Session, { repository, tag }: Image): Promise<void> {
  await api.delete(`/repositories/${repository}/-/tags/${tag}`);
  output.say(`deleted ${repository}:${tag}`);
}
