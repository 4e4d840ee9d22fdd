import { digestOfBytes, manifestOf, randomBlob } from '../../content.ts';
import { withConnection } from '../../http/connection.ts';
import { ask, pushBlobs, pushManifests } from '../requests.ts';
import type { CloudScale } from '../scale.ts';
import { type Row, timedEach } from './row.ts';

/** A registry that can only delete manifests reads every tag of the repository for each: more would take hours. */
const DELETES_BY_DIGEST = 3;

export function deleteTags({ deletes: count }: CloudScale): Row {
  const config = randomBlob(1000);
  const manifests = new Map(
    Array.from({ length: count }, (_, n) => [`v${n}`, manifestOf(config, [], `${n}`)]),
  );
  return {
    title: `DELETE of a tag, of ${count} one after the other`,
    rounds: 1,
    // Each registry has a repository of its own to delete from.
    prepare: async (site) => {
      const repository = `cloud/delete-${site.id}`;
      await pushBlobs(site, repository, [config]);
      await pushManifests(
        site,
        [...manifests].map(([tag, manifest]) => ({ repository, tag, manifest })),
      );
    },
    measure: ({ target, id, deletesTags, name }) =>
      withConnection(target, async (connection) => {
        const references = deletesTags
          ? [...manifests.keys()]
          : [...manifests.values()].map(digestOfBytes).slice(0, DELETES_BY_DIGEST);
        const samples = await timedEach(references, (reference) => {
          const path = `/v2/cloud/delete-${id}/manifests/${reference}`;
          return ask({ target, connection }, { method: 'DELETE', path }, 202);
        });
        const note = `${name} deletes no tags, but manifests with their tags: ${DELETES_BY_DIGEST} of them were measured`;
        return { samples, ...(deletesTags ? {} : { note }) };
      }),
  };
}
