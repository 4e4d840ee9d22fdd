import type { TagDeletion, TagDeletions, TagNames } from '../../api/types.ts';
import { anyGlobOf, globProblem } from '../../functions/oci/glob.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import type { Api } from '../api.ts';
import { Failure, misuse } from '../failure.ts';
import type { Columns } from '../output.ts';
import { ask } from '../prompt.ts';
import type { Session } from '../session.ts';
import { sizeText } from '../text.ts';
import type { Restorable } from '../values.ts';

export interface DeleteOptions {
  readonly pattern?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** As many as one request takes. */
const AT_ONCE = 100;

/** Deletes one tag, or those that match a pattern, once they were shown and that was confirmed. */
export async function deleteTags(session: Session, image: Restorable, options: DeleteOptions): Promise<void> {
  const { repository, tag } = image;
  const { pattern, dryRun, yes } = options;
  if ((tag === undefined) === (pattern === undefined) || image.digest)
    throw misuse('name one tag, team-a/app:v1, or a repository and --pattern');
  const { api, output } = session;
  if (pattern === undefined && !dryRun) {
    await api.delete(`/repositories/${repository}/-/tags/${tag}`);
    return output.say(`deleted ${repository}:${tag}`);
  }
  const names = pattern === undefined ? [`${tag}`] : await namesLike(api, repository, pattern);
  if (dryRun) return output.list('tags', await askFor(api, repository, names, true), COLUMNS);
  if (names.length === 0) return output.say(`no tag of ${repository} matches ${pattern}`);
  if (!yes) await confirm(session, repository, names);
  const tags = await askFor(api, repository, names, false);
  output.list('tags', tags, COLUMNS);
  const refused = tags.filter(({ outcome }) => outcome === 'refused').length;
  if (refused > 0) throw new Failure(`${refused} of ${tags.length} tags were not deleted`);
}

const COLUMNS: Columns<TagDeletion> = {
  TAG: ({ name }) => name,
  OUTCOME: ({ outcome }) => outcome,
  DIGEST: ({ digest }) => digest,
  SIZE: ({ imageBytes }) => (imageBytes === undefined ? undefined : sizeText(imageBytes)),
  'ALSO ON': ({ alsoOn = [] }) => alsoOn.join(' '),
  WHY: ({ reason }) => reason,
};

async function namesLike(api: Api, repository: RepositoryName, pattern: string): Promise<readonly string[]> {
  const problem = globProblem(pattern);
  if (problem !== undefined) throw misuse(`--pattern ${problem}`);
  const matches = anyGlobOf([pattern]);
  const names: string[] = [];
  for (let last: string | undefined; ; ) {
    const page = await api.get<TagNames>(`/repositories/${repository}/-/tag-names`, { last });
    names.push(...page.names.filter(matches));
    last = page.next;
    if (last === undefined) return names;
  }
}

async function askFor(
  api: Api,
  repository: RepositoryName,
  names: readonly string[],
  dryRun: boolean,
): Promise<readonly TagDeletion[]> {
  const tags: TagDeletion[] = [];
  for (let start = 0; start < names.length; start += AT_ONCE) {
    const body = { tags: names.slice(start, start + AT_ONCE), dryRun };
    tags.push(...(await api.post<TagDeletions>(`/repositories/${repository}/-/tags/delete`, body)).tags);
  }
  return tags;
}

async function confirm(
  { api, output }: Session,
  repository: RepositoryName,
  names: readonly string[],
): Promise<void> {
  const question = `Delete these ${names.length} tags of ${repository}? Type ${names.length}: `;
  const advice = `no terminal to ask whether to delete ${names.length} tags; say --yes, or look first with --dry-run`;
  if (process.stdin.isTTY) output.list('tags', await askFor(api, repository, names, true), COLUMNS);
  const answer = await ask(question, advice);
  if (answer.trim() !== `${names.length}`) throw new Failure('nothing was deleted');
}
