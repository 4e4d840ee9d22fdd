import type { CloudScale } from '../scale.ts';
import { deleteTags } from './deletes.ts';
import { garbage } from './garbage.ts';
import { catalog, tagList } from './lists.ts';
import { commit, pushMounted, pushNew, stream } from './pushes.ts';
import { blobRedirect, heads, manifestByTag, referrers } from './reads.ts';
import type { Row } from './row.ts';

/** Every row, in the order of the report. */
export function rowsOf(scale: CloudScale): readonly Row[] {
  const makers = [
    manifestByTag,
    blobRedirect,
    heads,
    tagList,
    catalog,
    referrers,
    pushNew,
    pushMounted,
    stream,
    commit,
    deleteTags,
    garbage,
  ];
  return makers.map((make) => make(scale));
}
