import type { Command } from 'commander';
import type { Restoration, Restored } from '../../api/types.ts';
import { Failure, misuse } from '../failure.ts';
import { onRegistry, type Session } from '../session.ts';
import { type Restorable, restorableValue, timeValue } from '../values.ts';

const EXAMPLES = `
Examples:
  stowage restore team-a/app:v1                        # a deleted tag, as it was last
  stowage restore team-a/app:v1 --at 2026-01-31T12:00Z # a tag as it was then
  stowage restore team-a/app@sha256:…                  # a deleted manifest
  stowage restore team-a/app --at 24h --dry-run        # all tags as they were a day ago`;

export function addRestoreCommand(program: Command): void {
  addRestoreTo(program, 'bring back what was deleted or moved');
}

/** The command below another one, by the same name. */
export function addRestoreTo(parent: Command, description: string): void {
  parent
    .command('restore')
    .description(description)
    .argument('<what>', 'REPOSITORY, REPOSITORY:TAG or REPOSITORY@DIGEST', restorableValue)
    .option('--at <time>', "as it was then: '24h' ago, '7d' ago, or a date or time", timeValue)
    .option('--dry-run', 'only say what would come back')
    .addHelpText('after', EXAMPLES)
    .action(onRegistry(restore));
}

async function restore(
  session: Session,
  { repository, ...what }: Restorable,
  { at, dryRun = false }: { readonly at?: Date; readonly dryRun?: boolean },
): Promise<void> {
  if (!what.tag && !what.digest && !at) throw misuse('say --at TIME to restore all tags of a repository');
  const entries = await restoreAll(session, repository, {
    ...what,
    ...(at && { at: at.toISOString() }),
    dryRun,
  });
  showRestored(session, entries);
  const lost = entries.filter(({ outcome }) => outcome === 'lost').length;
  if (lost > 0) throw new Failure(`${lost} of ${entries.length} cannot come back`);
}

/** Asks until nothing remains to be done. */
export async function restoreAll(
  { api }: Session,
  repository: string,
  request: Readonly<Record<string, unknown>>,
): Promise<readonly Restored[]> {
  const entries: Restored[] = [];
  let last: string | undefined;
  for (;;) {
    const body = { ...request, ...(last !== undefined && { last }) };
    const answer = await api.post<Restoration>(`/repositories/${repository}/-/restore`, body);
    entries.push(...answer.entries);
    if (!answer.remaining) return entries;
    last = answer.next ?? last;
  }
}

export function showRestored({ output }: Session, entries: readonly Restored[]): void {
  output.list('entries', entries, {
    OUTCOME: ({ outcome }) => outcome,
    TAG: ({ tag }) => tag,
    DIGEST: ({ digest }) => digest,
    WHY: ({ reason }) => reason,
  });
}
