import { describe, expect, it } from 'vitest';
import { requireBlob } from '../../functions/registry/blobs.ts';
import { pushBlob, REPOSITORY, refusal } from '../registry/fixture.ts';
import { DAY, grant, openApi } from './fixture.ts';

const SWEEP = `POST /repositories/${REPOSITORY}/-/sweep`;

describe('a sweep by the API', () => {
  it('tells in a dry run what would go and why, then deletes it', async () => {
    const api = await openApi();
    const root = await api.as('root');
    const { digest } = await pushBlob(api.registry);
    expect((await root(SWEEP, {})).body).toMatchObject({
      remaining: false,
      deleted: {},
      findings: [
        { action: 'keep', kind: 'blob', digest, reason: expect.stringContaining('may be about to') },
      ],
    });
    for (let day = 0; day < 2; day += 1) {
      api.clock += DAY;
      const again = await api.as('root'); // the token of yesterday has ended
      const dry = await again(SWEEP, { dryRun: true });
      expect(dry.body['deleted']).toEqual(day === 0 ? {} : { blob: 1 });
      expect(await refusal(requireBlob(api.registry, REPOSITORY, digest))).toBeUndefined();
      expect((await again(SWEEP, { dryRun: false })).body).toMatchObject({
        deleted: day === 0 ? {} : { blob: 1 },
        bytes: day === 0 ? 0 : 100,
      });
    }
    expect(await refusal(requireBlob(api.registry, REPOSITORY, digest))).toBe('BLOB_UNKNOWN');
  });

  it('is for admins of the repository', async () => {
    const api = await openApi();
    await api.addUser('lead', grant('team/*', 'admin'));
    await api.addUser('dev', grant('team/*', 'pull', 'push', 'delete'));
    await pushBlob(api.registry);
    expect((await (await api.as('lead'))(SWEEP, { dryRun: true })).status).toBe(200);
    expect((await (await api.as('dev'))(SWEEP, { dryRun: true })).status).toBe(403);
  });

  it('says which field it does not know', async () => {
    const api = await openApi();
    const refused = await (await api.as('root'))(SWEEP, { dry: true });
    expect(refused.status).toBe(400);
    expect(JSON.stringify(refused.body)).toContain('is not known here');
  });
});
