import { freePort } from '../../test/free-port.ts';
import { Profiler } from '../profile.ts';
import { busyMilliseconds, PARTS, partsOf } from '../profile-parts.ts';
import type { ServerGroup } from '../server-group.ts';
import { table } from '../table.ts';
import { stream } from './rows/pushes.ts';
import { blobRedirect, manifestByTag } from './rows/reads.ts';
import type { Row } from './rows/row.ts';
import type { CloudScale } from './scale.ts';
import { startNodeHost } from './sites.ts';
import type { CloudStores } from './stores.ts';

interface Place {
  readonly root: string;
  readonly workspace: string;
  readonly group: ServerGroup;
  readonly stores: CloudStores;
}

/** What the Node host's thread does on its hot paths, a path a line; a table in Markdown. The first round of each warms
 *  up, the second is profiled. */
export async function profileHotPaths(place: Place, scale: CloudScale): Promise<string> {
  const port = await freePort();
  const site = await startNodeHost(place, port);
  const profiler = await Profiler.connect(port);
  const rows: string[][] = [];
  for (const row of [manifestByTag, blobRedirect, stream].map((make) => make({ ...scale, rounds: 2 }))) {
    await place.stores.move('near');
    await row.prepare?.(site);
    await place.stores.move('far');
    await row.measure(site, 0);
    rows.push([row.title, ...(await profileRow(row))]);
  }
  profiler.close();
  await place.group.stop();
  const text =
    "Milliseconds of the Node host's first thread for one operation, and what they go into, by a CPU profile.";
  return ['### Profiles', text, table(['path', 'ms', ...PARTS], rows, 1)].join('\n\n');

  async function profileRow(row: Row): Promise<string[]> {
    let operations = 1;
    const profile = await profiler.profile(async () => {
      const measured = await row.measure(site, 1);
      operations = measured.operations ?? measured.samples.length;
    });
    const shares = partsOf(profile);
    const percents = PARTS.map((part) => `${(100 * (shares.get(part) ?? 0)).toFixed(0)} %`);
    return [(busyMilliseconds(profile) / operations).toFixed(2), ...percents];
  }
}
