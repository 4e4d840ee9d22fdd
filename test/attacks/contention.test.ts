import { afterAll, describe, expect, it } from 'vitest';
import { ENV } from '../../functions/environment.ts';
import { startAwsStores } from '../aws/stores.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';
import { Crowd, type Tally } from './crowd.ts';

// Nobody who only pushes, retags, mounts and deletes is refused because others do so, too; how long it takes is told by
// `npm run bench -- contention`. CONTENTION_CLIENTS=200 has so many at once.

const CLIENTS = Number(process.env['CONTENTION_CLIENTS'] ?? 50);
const CHANGES = 2 * CLIENTS;

/** Whatever is sent here is to be done. */
const EXPECTED = new Set(['201', '202']);

const stores = await startAwsStores(undefined, { transactionMs: 2 });
afterAll(() => stores?.stop());

const HOSTS = {
  embedded: async () => RegistryProcess.start(await scratch(), { [ENV.open]: '1' }),
  ...(stores && {
    'the Node host on the AWS stores': () =>
      RegistryProcess.start('', { ...stores.environment, [ENV.open]: '1', STOWAGE_STORE: 'aws' }),
  }),
};

describe.each(Object.entries(HOSTS))(`%s: ${CLIENTS} clients at once`, (_, start) => {
  it('who push, retag and delete in one repository are never refused', { timeout: 300_000 }, async () => {
    expectNoRefusal(await withCrowd(start, (crowd) => crowd.changeOneRepository('one/repository', CHANGES)));
  });

  it('who upload, mount and delete one blob are never refused', { timeout: 300_000 }, async () => {
    expectNoRefusal(await withCrowd(start, (crowd) => crowd.shareOneBlob('many', CHANGES)));
  });
});

async function withCrowd<T>(
  start: () => Promise<RegistryProcess>,
  act: (crowd: Crowd) => Promise<T>,
): Promise<T> {
  const registry = await start();
  const crowd = new Crowd({ url: registry.url, clients: CLIENTS });
  try {
    return await act(crowd);
  } finally {
    crowd.close();
    await registry.stop('SIGTERM');
  }
}

function expectNoRefusal(tallies: readonly Tally[]): void {
  for (const { title, statuses } of tallies) {
    const refused = Object.keys(statuses).filter((status) => !EXPECTED.has(status));
    expect({ title, refused, statuses }).toMatchObject({ refused: [] });
  }
}
