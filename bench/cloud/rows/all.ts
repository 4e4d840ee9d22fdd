import type { CloudScale } from '../scale.ts';
import { deleteTags } from './deletes.ts';
import { garbage } from './garbage.ts';
import { catalog, tagList } from './lists.ts';
import { commit, pushMounted, pushNew, stream } from './pushes.ts';
import { blobRedirect, heads, manifestAgain, manifestByTag, redirectAgain, referrers } from './reads.ts';
import type { Row } from './row.ts';

type RowMaker = (scale: CloudScale) => Row;

/** Every row under the name the command line knows it by, in the order of the report. */
const ROWS: ReadonlyMap<string, RowMaker> = new Map<string, RowMaker>([
  ['manifest-by-tag', manifestByTag],
  ['blob-redirect', blobRedirect],
  ['heads', heads],
  ['tag-list', tagList],
  ['catalog', catalog],
  ['referrers', referrers],
  ['push-new', pushNew],
  ['push-mounted', pushMounted],
  ['stream', stream],
  ['commit', commit],
  ['delete-tags', deleteTags],
  ['garbage', garbage],
  ['manifest-again', manifestAgain],
  ['redirect-again', redirectAgain],
]);

/** Named beside the rows: what the thread of the Node host does on its hot paths. */
export const PROFILES = 'profiles';

export const ROW_NAMES = [...ROWS.keys(), PROFILES];

/** Makes those of the names that are rows. */
export function rowsOf(scale: CloudScale, names: readonly string[]): readonly Row[] {
  return names.flatMap((name) => ROWS.get(name)?.(scale) ?? []);
}
