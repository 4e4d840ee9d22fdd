import type { Command } from 'commander';
import type { ShownTag, Tag, TagMove } from '../../api/types.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { Failure } from '../failure.ts';
import { onRegistry, type Session } from '../session.ts';
import { byText, dayText, facts, sizeText, table, timeText } from '../text.ts';
import { digestValue, type Image, imageValue, repositoryValue, restorableValue } from '../values.ts';
import { restoreAll, showRestored } from './restore.ts';
import { deleteTags } from './tag-deletion.ts';

export function addTagCommands(program: Command): void {
  const tag = program.command('tag').description('tags of a repository, and what they were');
  tag
    .command('list')
    .description('list the tags of a repository')
    .argument('<repository>', '', repositoryValue)
    .option('--prefix <text>', 'only tags that begin so')
    .addHelpText('after', ABOUT_SIZES)
    .action(onRegistry(listTags));
  tag
    .command('show')
    .description('show a tag: its size, platforms, referrers, last pull and history')
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
    .description('delete a tag, or those that match a pattern; what they name stays until nothing needs it')
    .argument('<repository[:tag]>', '', restorableValue)
    .option('--pattern <pattern>', "tags of the repository, such as 'pr-*'")
    .option('--dry-run', 'only say what would become of each')
    .option('--yes', 'do not ask')
    .action(onRegistry(deleteTags));
}

const ABOUT_SIZES = `
SIZE is that of the config and the layers of an image, compressed; of an index, of all its images, each layer once. What an image
runs on is more reading: "stowage tag show" tells it. LAST PULL is to the day.`;

async function listTags(
  { api, output }: Session,
  repository: RepositoryName,
  { prefix }: { readonly prefix?: string },
): Promise<void> {
  const { entries } = await api.list<Tag>(`/repositories/${repository}/-/tags`, 'tags', {
    page: 100,
    query: { prefix },
  });
  output.list('tags', entries, {
    TAG: ({ name }) => name,
    DIGEST: ({ digest }) => digest,
    TYPE: typeOf,
    SIZE: imageSize,
    PLATFORMS: platformsText,
    TAGGED: ({ taggedAt }) => timeText(taggedAt),
    BY: ({ by }) => by,
    'LAST PULL': ({ lastPulledAt }) => dayText(lastPulledAt),
  });
}

/** In a word, where it is one of the usual. */
function typeOf({ mediaType }: Tag): string {
  if (/index|manifest\.list/.test(mediaType)) return 'index';
  return /manifest/.test(mediaType) ? 'image' : mediaType;
}

const imageSize = ({ imageBytes }: Tag) => (imageBytes === undefined ? undefined : sizeText(imageBytes));
const platformsText = ({ platforms = [] }: Tag) => platforms.join(' ');

async function showTag({ api, output }: Session, { repository, tag }: Image): Promise<void> {
  const found = await api.get<ShownTag>(`/repositories/${repository}/-/tags/${tag}`);
  const { referrers, moreReferrers, lastPulledAt, by } = found;
  output.result(found, () => {
    const shown = facts([
      ['tag', `${repository}:${found.name}`],
      ['digest', found.digest],
      ['media type', found.mediaType],
      ['size', imageSize(found)],
      ['manifest', sizeText(found.size)],
      ['platforms', platformsText(found)],
      ['tagged', `${timeText(found.taggedAt)}${by === undefined ? '' : ` by ${by}`}`],
      ['last pull', dayText(lastPulledAt) || 'none on record'],
      ['referrers', `${referrers.length}${moreReferrers ? ' and more' : ''}`],
    ]);
    const listed = referrers.map((one) => [one.digest, one.artifactType ?? '', sizeText(one.size)]);
    const referrersTable = listed.length > 0 ? `\n${table(['REFERRER', 'TYPE', 'MANIFEST'], listed)}` : '';
    return `${shown}${referrersTable}\n${historyTable(found.history)}`;
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
