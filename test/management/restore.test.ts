import { describe, expect, it } from 'vitest';
import type { RepositoryName, Tag } from '../../functions/oci/reference.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import { putManifest } from '../../functions/registry/manifest-push.ts';
import { imageOf, pushBlob } from '../registry/fixture.ts';
import { type Api, DAY, grant, openApi } from './fixture.ts';

const NAME = 'team/app' as RepositoryName;
const RESTORE = `POST /repositories/${NAME}/-/restore`;

async function push({ registry }: Api, ...tags: string[]) {
  const bytes = imageOf(await pushBlob(registry, NAME));
  const push = { repository: NAME, bytes, contentType: '', digest: undefined, tags: tags as Tag[] };
  return (await putManifest(registry, push)).digest;
}

describe('restores', () => {
  it('bring back a deleted tag for an admin of its repository, and for nobody else', async () => {
    const api = await openApi();
    await api.addUser('lead', grant('team/*', 'admin'));
    await api.addUser('dev', grant('team/*', 'push', 'delete'));
    const [lead, dev] = [await api.as('lead'), await api.as('dev')];
    const digest = await push(api, 'v1');
    await deleteManifest({ ...api.registry, actor: 'user:dev' }, NAME, digest);
    expect((await dev(RESTORE, { tag: 'v1' })).status).toBe(403);
    const { status, body } = await lead(RESTORE, { tag: 'v1' });
    const reason = 'deleted on 2026-01-01T00:00:00.000Z by user:dev';
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        entries: [
          { kind: 'manifest', digest, outcome: 'restored', reason },
          { kind: 'tag', tag: 'v1', digest, outcome: 'restored', reason: 'it was deleted' },
        ],
        remaining: false,
      },
    });
    expect((await lead(`GET /repositories/${NAME}/-/tags/v1`)).body).toMatchObject({
      digest,
      by: 'user:lead',
    });
    const { body: trail } = await lead(`GET /audit?repository=${NAME}`);
    expect(trail['records']).toContainEqual(
      expect.objectContaining({ operation: 'repository.restore', target: 'restore v1', status: 200 }),
    );
  });

  it('of all tags go back to a time', async () => {
    const api = await openApi();
    const first = await push(api, 'v1');
    const at = new Date(api.clock).toISOString();
    api.clock += DAY;
    const second = await push(api, 'v1');
    const root = await api.as('root'); // a token lasts for minutes
    const dry = await root(RESTORE, { at, dryRun: true });
    const entry = {
      kind: 'tag',
      tag: 'v1',
      digest: first,
      outcome: 'restored',
      reason: `it was on ${second}`,
    };
    expect(dry.body).toEqual({ entries: [entry], remaining: false });
    expect((await root(`GET /repositories/${NAME}/-/tags/v1`)).body['digest']).toBe(second);
    expect((await root(RESTORE, { at })).body).toEqual(dry.body);
    expect((await root(`GET /repositories/${NAME}/-/tags/v1`)).body['digest']).toBe(first);
  });

  it('say what is wrong with a request, and what cannot come back', async () => {
    const api = await openApi();
    const root = await api.as('root');
    await push(api, 'v1');
    const errors = async (body: object) => (await root(RESTORE, body)).body['errors'];
    expect(await errors({})).toMatchObject([{ path: 'at' }]);
    expect(await errors({ tag: 'v1', last: 'v0' })).toMatchObject([{ path: 'last' }]);
    expect(await errors({ tag: 'no tag', digest: 'sha256:0' })).toMatchObject([
      { path: 'tag' },
      { path: 'digest' },
    ]);
    expect(await errors({ tag: 'v1', at: 'yesterday' })).toMatchObject([{ path: 'at' }]);
    const gone = await root(RESTORE, { digest: `sha256:${'0'.repeat(64)}` });
    expect([gone.status, gone.body['detail']]).toEqual([409, expect.stringContaining('quarantine is over')]);
    expect((await root(RESTORE, { tag: 'v9' })).status).toBe(404);
    expect((await root('POST /repositories/team/none/-/restore', { tag: 'v1' })).status).toBe(404);
  });
});

describe('the history of a tag', () => {
  it('is shown when the tag is deleted, too, to whoever may pull', async () => {
    const api = await openApi();
    await api.addUser('reader', grant('team/*', 'pull'));
    const reader = await api.as('reader');
    const digest = await push(api, 'v1');
    api.clock += 1;
    await deleteManifest({ ...api.registry, actor: 'user:dev' }, NAME, digest);
    expect((await reader(`GET /repositories/${NAME}/-/tags/v1`)).status).toBe(404);
    expect((await reader(`GET /repositories/${NAME}/-/tags/v1/history`)).body).toEqual({
      history: [
        { at: '2026-01-01T00:00:00.001Z', by: 'user:dev' },
        { at: '2026-01-01T00:00:00.000Z', digest },
      ],
    });
    expect((await reader(`GET /repositories/${NAME}/-/tags/v2/history`)).status).toBe(404);
  });
});
