import type { Command } from 'commander';
import type { Purged, PurgeResult, TrashEntry } from '../../api/types.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { Failure } from '../failure.ts';
import { ask } from '../prompt.ts';
import { onRegistry, type Session } from '../session.ts';
import { byText, sizeText, timeText } from '../text.ts';
import { type Purgeable, purgeableValue, repositoryValue } from '../values.ts';
import { addRestoreTo } from './restore.ts';

const PURGE_EXAMPLES = `
Examples:
  stowage trash purge sha256:… --dry-run      # a layer or an image, in every repository; for admins of the registry
  stowage trash purge team-a/app@sha256:…     # in one repository, for its admins
With a layer all images go that use it. docs/runbook.md#a-secret-was-pushed tells what is left to do.`;

export function addTrashCommands(program: Command): void {
  const trash = program.command('trash').description('what was deleted and can come back');
  trash
    .command('ls')
    .description('list what can come back of a repository, and until when')
    .argument('<repository>', '', repositoryValue)
    .action(onRegistry(listTrash));
  addRestoreTo(trash, 'the same as stowage restore');
  trash
    .command('purge')
    .description('delete a secret that was pushed: for good, at once, also what is in use or in quarantine')
    .argument('<what>', 'DIGEST or REPOSITORY@DIGEST', purgeableValue)
    .option('--dry-run', 'only say what would go')
    .option('--yes', 'do not ask')
    .addHelpText('after', PURGE_EXAMPLES)
    .action(onRegistry(purge));
}

async function listTrash({ api, output }: Session, name: RepositoryName): Promise<void> {
  const { entries } = await api.list<TrashEntry>(`/repositories/${name}/-/trash`, 'entries', { page: 100 });
  output.list('entries', entries, {
    WHAT: ({ kind, tag }) => (tag === undefined ? kind : `tag ${tag}`),
    DIGEST: ({ digest }) => digest,
    UNTIL: ({ until }) => (until === undefined ? 'its manifest goes' : timeText(until)),
    DELETED: ({ deletedAt }) => timeText(deletedAt),
    BY: ({ deletedBy }) => byText(deletedBy),
    WHY: ({ reason }) => reason,
  });
}

interface PurgeOptions {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** What would go is shown before anybody is asked. */
async function purge(
  session: Session,
  what: Purgeable,
  { dryRun = false, yes = false }: PurgeOptions,
): Promise<void> {
  const { output } = session;
  if (dryRun || !yes) {
    const { entries } = await purgeAll(session, what, true);
    show(session, entries);
    if (entries.length === 0) throw new Failure(`nothing here has ${what.digest}`);
    if (dryRun) return output.say(`would purge ${countOf(entries)}`);
    await confirm(what.digest);
  }
  const { entries, objects } = await purgeAll(session, what, false);
  if (yes) show(session, entries);
  output.say(`purged ${countOf(entries)}`);
  if (objects.length > 0) output.say(`deleted from the store: ${objects.join(' ')}`);
}

async function confirm(digest: string): Promise<void> {
  const question = 'Delete this for good, with all that uses it? Type yes: ';
  const answer = await ask(question, `no terminal to ask whether to purge ${digest}; say --yes`);
  if (answer.trim() !== 'yes') throw new Failure('nothing was deleted');
}

/** Asks until nothing remains to be done. */
async function purgeAll(
  { api }: Session,
  { repository, digest }: Purgeable,
  dryRun: boolean,
): Promise<{ readonly entries: readonly Purged[]; readonly objects: readonly string[] }> {
  const path = repository === undefined ? '/purge' : `/repositories/${repository}/-/purge`;
  const entries: Purged[] = [];
  const objects: string[] = [];
  for (let last: string | undefined; ; ) {
    const body = { digest, dryRun, ...(last !== undefined && { last }) };
    const answer = await api.post<PurgeResult>(path, body);
    entries.push(...answer.entries);
    objects.push(...(answer.objects ?? []));
    if (!answer.remaining) return { entries, objects };
    // A dry run leaves nothing behind from which it could go on in one repository.
    if (dryRun && answer.next === undefined)
      throw new Failure('there is more than one request can tell: say --yes');
    last = answer.next ?? last;
  }
}

function show({ output }: Session, entries: readonly Purged[]): void {
  output.list('entries', entries, {
    OUTCOME: ({ outcome }) => outcome,
    REPOSITORY: ({ repository }) => repository,
    KIND: ({ kind }) => kind,
    DIGEST: ({ digest }) => digest,
    SIZE: ({ size }) => sizeText(size),
    TAGS: ({ tags }) => tags.join(' '),
    WHY: ({ reason }) => reason,
  });
}

function countOf(entries: readonly Purged[]): string {
  const gone = entries.filter(({ outcome }) => outcome === 'purged');
  const kept = entries.length - gone.length;
  const bytes = gone.reduce((sum, { size }) => sum + size, 0);
  return `${gone.length} manifests and blobs (${sizeText(bytes)})${kept > 0 ? `; ${kept} are used by others and stay` : ''}`;
}
