import { expect, it } from 'vitest';
import type { RepositoryName, Tag } from '../../functions/oci/reference.ts';
import { deleteTag } from '../../functions/registry/tags.ts';
import type { UpkeepLine } from '../../functions/upkeep/stage.ts';
import { sweepRepository } from '../../functions/upkeep/sweep.ts';
import { upkeepText } from '../../functions/upkeep/upkeep-text.ts';
import { imageOf, push, pushBlob, REPOSITORY } from '../registry/fixture.ts';
import { DAY, openApi } from './fixture.ts';

it('the use of quotas is told, of a repository and of all together, and in a line a day from four fifths on', async () => {
  const api = await openApi();
  const root = await api.as('root');
  await root('PUT /policies/q', {
    repositories: ['team/*'],
    quota: { each: { tags: 5, bytes: 1e6 }, together: { tags: 50 } },
  });
  const quotas = async (path: string) =>
    (
      (await (await api.as('root'))(`GET ${path}`)).body as {
        quotas: { kind: string; scope: string; used?: number }[];
      }
    ).quotas;
  const path = '/repositories/team/app/-/quota';
  api.clock += DAY / 24;
  for (const tag of ['a', 'b', 'c', 'd'])
    await push(api.registry, imageOf(await pushBlob(api.registry)), tag);
  expect(await quotas(path)).toContainEqual(
    expect.objectContaining({ policy: 'q', scope: 'each', kind: 'tags', limit: 5, used: 4, percent: 80 }),
  );
  expect(await quotas('/quotas')).toEqual([
    expect.objectContaining({ policy: 'q', scope: 'together', kind: 'tags', limit: 50, used: 4, percent: 8 }),
  ]);
  const lines: UpkeepLine[] = [];
  const lease = { epochMs: DAY, quarantineMs: DAY, until: Number.POSITIVE_INFINITY };
  await sweepRepository(api.registry, REPOSITORY, { ...lease, tell: (line) => lines.push(line) });
  expect(lines.map(upkeepText)).toEqual(['team/app has 4 tags of the 5 tags that the policy q allows']);
  await deleteTag(api.registry, 'team/app' as RepositoryName, 'a' as Tag);
  api.clock += DAY / 24;
  const again = await api.as('root');
  expect((await again(`GET ${path}?fresh=true`)).body['quotas']).toContainEqual(
    expect.objectContaining({ scope: 'each', kind: 'tags', used: 3 }),
  );
});
