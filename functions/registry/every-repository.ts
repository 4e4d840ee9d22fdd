import type { RepositoryName } from '../oci/reference.ts';
import type { Table } from '../storage/table.ts';
import { sweeps, sweptRepositoryIn } from './keys.ts';

const READ_AT_ONCE = 1000;

/** All repositories that exist, in the catalog or not, each once; also where others are made or swept meanwhile. The entry of one that
 *  somebody disturbs moves back, past whoever reads: so all are read once more. It does not again within an epoch. */
export async function* everyRepository(table: Table): AsyncGenerator<RepositoryName> {
  const seen = new Set<RepositoryName>();
  for (let pass = 1; pass <= 2; pass += 1) {
    for await (const name of entriesIn(table)) {
      if (seen.has(name)) continue;
      seen.add(name);
      yield name;
    }
  }
}

async function* entriesIn(table: Table): AsyncGenerator<RepositoryName> {
  for (let after: string | undefined; ; ) {
    const from = after === undefined ? {} : { after };
    const entries = await table.query({ ...sweeps, ...from, limit: READ_AT_ONCE, keysOnly: true });
    yield* entries.map(sweptRepositoryIn);
    if (entries.length < READ_AT_ONCE) return;
    after = entries.at(-1)?.key.sort;
  }
}
