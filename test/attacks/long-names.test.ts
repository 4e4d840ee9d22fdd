import { describe, expect, it } from 'vitest';
import { createApp } from '../../functions/app.ts';
import { ALL_ROUTES } from '../../functions/routes.ts';
import { type Key, keyOf } from '../../functions/storage/table.ts';
import { basic, openWorld, PRINCIPALS, tokenFor } from '../auth/world.ts';
import { pushBlob, REPOSITORY, through } from '../registry/fixture.ts';

// What a client names becomes a key: DynamoDB takes 2,048 bytes of a partition, 1,024 of a sort key, and fails with anything longer.

const LONG = [
  'x'.repeat(1500),
  'x'.repeat(5000),
  `${'ü'.repeat(2000)}`,
  `sha256:${'a'.repeat(3000)}`,
  'a/'.repeat(1500),
];
const QUERY = [
  'n',
  'last',
  'digest',
  'mount',
  'from',
  'tag',
  'subject',
  'pattern',
  'after',
  'at',
  'until',
  'since',
  'scope',
];
const PARAMETERS = /<[a-z]+>/g;

/** A registry whose table refuses what DynamoDB would. */
async function openStrict() {
  const world = await openWorld();
  const { registry, authentication } = world;
  await pushBlob(registry);
  const root = await PRINCIPALS.user(world, 'root', [{ pattern: '*', actions: ['admin'] }]);
  const require = ({ partition, sort = 'x' }: Partial<Key>) => {
    const sizes = [Buffer.byteLength(partition ?? ''), Buffer.byteLength(sort)];
    if (sizes[0] === 0 || Number(sizes[0]) > 2048 || Number(sizes[1]) > 1024)
      throw new Error(`a key of ${sizes} bytes`);
  };
  const { table } = registry;
  const requireAll = async (keys: readonly Partial<Key>[]) => keys.forEach(require);
  const strict = through(table, {
    get: (key) => requireAll([key]).then(() => table.get(key)),
    getMany: (keys) => requireAll(keys).then(() => table.getMany(keys)),
    query: (query) =>
      requireAll([{ partition: query.partition, sort: query.after ?? 'x' }]).then(() => table.query(query)),
    write: (operations) => requireAll(operations.map(keyOf)).then(() => table.write(operations)),
  });
  const causes: unknown[] = [];
  const app = createApp({
    registry: { ...registry, table: strict },
    authentication,
    onAnswer: ({ cause }) => void (cause !== undefined && causes.push(cause)),
  });
  const token = await tokenFor(world, root, [
    'registry:api:*',
    'registry:catalog:*',
    `repository:${REPOSITORY}:pull,push,delete`,
  ]);
  return { app, token, causes };
}

describe.each(LONG.map((text) => [`${text.slice(0, 10)}… (${text.length})`, text]))('%s', (_, text) => {
  it('is no fault of the registry as whatever a path or a query names', async () => {
    const { app, token, causes } = await openStrict();
    const headers = { Authorization: `Bearer ${token}` };
    for (const { method, path } of ALL_ROUTES) {
      const named = path.replace('<name>', REPOSITORY);
      const paths = [
        named.replaceAll(PARAMETERS, () => encodeURIComponent(text)),
        path.replaceAll(PARAMETERS, () => encodeURIComponent(text)),
      ];
      const query = QUERY.map(
        (name) => `${named.replaceAll(PARAMETERS, 'x')}?${name}=${encodeURIComponent(text)}`,
      );
      for (const target of [...paths, ...query]) {
        const { status } = await app(new Request(`http://registry.test${target}`, { method, headers }));
        expect([status < 500, causes], `${method} ${target.slice(0, 100)}`).toEqual([true, []]);
      }
    }
  });

  it('nor as who logs in, by which way ever', async () => {
    const { app, causes } = await openStrict();
    const names = [text, `robot/${text}`, 'oidc', 'alice'];
    for (const username of names) {
      for (const password of [text, `stow_token_${text}_x`, `stow_refresh_${text}`, `a.${text}.b`]) {
        const headers = { Authorization: basic({ username, password }) };
        const asked = await app(new Request('http://registry.test/token', { headers }));
        const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: password });
        const again = await app(new Request('http://registry.test/token', { method: 'POST', body: form }));
        expect([asked.status < 500, again.status < 500, causes]).toEqual([true, true, []]);
      }
    }
  });
});
