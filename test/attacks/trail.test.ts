import { expect, it } from 'vitest';
import { createApp } from '../../functions/app.ts';
import { keyOf, type Operation, type Table } from '../../functions/storage/table.ts';
import { openWorld, PRINCIPALS, tokenFor } from '../auth/world.ts';
import { imageOf, push, pushBlob, REPOSITORY, through } from '../registry/fixture.ts';

// Whoever can have the registry die, or its store refuse a write, at a moment of their choice does nothing that is not in the trail.

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';

type Deed = (n: number, image: Buffer) => readonly [call: string, body?: unknown, type?: string];

const DEEDS: Readonly<Record<string, Deed>> = {
  'user.create': (n) => ['POST /api/v1/users', { name: `u${n}` }],
  'user.password': () => ['PUT /api/v1/users/victim/password', {}],
  'user.change': (n) => ['PATCH /api/v1/users/victim', { description: `${n}` }],
  'token.create': () => ['POST /api/v1/users/root/tokens', { description: 'x' }],
  'robot.create': (n) => [
    'POST /api/v1/robots',
    { name: `r${n}`, grants: [{ pattern: 'x', actions: ['pull'] }] },
  ],
  'group.create': (n) => ['POST /api/v1/groups', { name: `g${n}` }],
  'grant.set': (n) => ['PUT /api/v1/grants', { subject: 'user:victim', pattern: `x${n}`, actions: ['pull'] }],
  'issuer.set': (n) => [
    `PUT /api/v1/issuers/i${n}`,
    { issuer: 'https://a.example', audience: 'a', rules: [] },
  ],
  'policy.set': (n) => [
    `PUT /api/v1/policies/p${n}`,
    { repositories: ['x/*'], quota: { each: { bytes: 1 } } },
  ],
  'repository.change': (n) => [
    `PATCH /api/v1/repositories/${REPOSITORY}`,
    { visibility: n % 2 === 0 ? 'public' : 'private' },
  ],
  'tag.delete': (n) => [`DELETE /api/v1/repositories/${REPOSITORY}/-/tags/v${n}`],
  'manifest.put': (n, image) => [`PUT /v2/${REPOSITORY}/manifests/new${n}`, image, MANIFEST_TYPE],
  'manifest.delete': (n) => [`DELETE /v2/${REPOSITORY}/manifests/v${n}`],
  'user.delete': () => ['DELETE /api/v1/users/victim'],
};

const isRecord = (operation: Operation) => keyOf(operation).partition.startsWith('AUDIT#');

/** The table of a process that dies at its `last` write, before or after that is made, and what it has written. */
function dying(table: Table, last: number, isMade: boolean) {
  const written: Operation[] = [];
  let writes = 0;
  const write: Table['write'] = async (operations) => {
    writes += 1;
    if (writes > last || (writes === last && !isMade)) throw new Error('died');
    const outcome = await table.write(operations);
    if (outcome.committed) written.push(...operations);
    if (writes === last) throw new Error('died');
    return outcome;
  };
  return { table: through(table, { write }), written, hasDied: () => writes >= last };
}

it.each(Object.entries(DEEDS))(
  '%s leaves a record wherever it is cut, once it has changed anything',
  async (operation, deed) => {
    const world = await openWorld();
    const { registry, authentication } = world;
    const root = await PRINCIPALS.user(world, 'root', [{ pattern: '*', actions: ['admin'] }]);
    const config = await pushBlob(registry);
    const token = await tokenFor(world, root, [
      'registry:api:*',
      `repository:${REPOSITORY}:pull,push,delete`,
    ]);
    for (let n = 1; ; n += 1) {
      expect(n).toBeLessThan(20);
      await PRINCIPALS.user(world, 'victim', []);
      await push(registry, imageOf(config, { annotations: { n: `${n}` } }), `v${n}`);
      const [call, body, type = 'application/json'] = deed(
        n,
        imageOf(config, { annotations: { new: `${n}` } }),
      );
      const [method = '', path] = call.split(' ');
      const machine = dying(registry.table, Math.ceil(n / 2), n % 2 === 0);
      const app = createApp({ registry: { ...registry, table: machine.table }, authentication });
      const response = await app(
        new Request(`http://registry.test${path}`, {
          method,
          headers: { Authorization: `Bearer ${token}`, 'Content-Type': type },
          ...(body !== undefined && {
            body: body instanceof Buffer ? new Uint8Array(body) : JSON.stringify(body),
          }),
        }),
      );
      const { written } = machine;
      const records = written.filter(isRecord);
      expect(records.length > 0, `${response.status}, ${JSON.stringify(written)}`).toBe(written.length > 0);
      for (const record of records)
        expect(record).toMatchObject({ attributes: { operation, principal: 'user:root' } });
      if (!machine.hasDied()) {
        expect(response.ok).toBe(true);
        expect(new Set(records.map((record) => JSON.stringify(keyOf(record)))).size).toBe(1);
        return;
      }
    }
  },
);
