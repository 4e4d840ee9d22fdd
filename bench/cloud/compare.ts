import { join } from 'node:path';
import { findProgram } from '../../test/clients/command.ts';
import { goInstall } from '../../test/clients/go-tools.ts';
import { randomBlob } from '../content.ts';
import type { ServerGroup } from '../server-group.ts';
import { profileHotPaths } from './profile.ts';
import { cloudReport, type StoredResult } from './report.ts';
import { PROFILES, rowsOf } from './rows/all.ts';
import { imageOf, mountImage, pushNewImage } from './rows/pushes.ts';
import { runRows } from './run.ts';
import type { CloudScale } from './scale.ts';
import { startSites } from './sites.ts';
import { countStored, difference } from './stored.ts';
import { type CloudStores, startStores } from './stores.ts';

/** https://github.com/distribution/distribution/releases/tag/v3.1.2 */
const DISTRIBUTION = 'github.com/distribution/distribution/v3/cmd/registry@v3.1.2';

interface Comparison {
  readonly root: string;
  readonly workspace: string;
  readonly group: ServerGroup;
  readonly scale: CloudScale;
  /** Of rows. */
  readonly names: readonly string[];
}

/** Compares Stowage with the CNCF registry on the same S3; the report in Markdown. */
export async function compareCloud({ root, workspace, group, scale, names }: Comparison): Promise<string> {
  const rows = rowsOf(scale, names);
  const start = { root, workspace, programs: await goPrograms(root) };
  const stores = await startStores(workspace);
  try {
    const stored = await compareStored({ stores, group, start, scale });
    const { results, skipped } = await runRows({ rows, stores, group, start });
    await group.stop();
    const profiles = names.includes(PROFILES)
      ? await profileHotPaths({ root, workspace, group, stores }, scale)
      : '';
    return [cloudReport(results, stored, skipped), profiles].filter(Boolean).join('\n\n');
  } finally {
    await group.stop();
    await stores.stop();
  }
}

/** Where Go has made the CNCF registry of today, if it could. */
async function goPrograms(root: string): Promise<string> {
  const directory = join(process.env['STOWAGE_TEST_CACHE'] ?? join(root, 'scratch'), 'bin');
  if ((await findProgram('registry', directory)) === undefined) {
    const tell = (error: Error) => console.error(`distribution 3 was not built: ${error.message}`);
    await goInstall(DISTRIBUTION, directory).catch(tell);
  }
  return directory;
}

interface StoredComparison {
  readonly stores: CloudStores;
  readonly group: ServerGroup;
  readonly start: Omit<Parameters<typeof startSites>[0], 'stores' | 'group'>;
  readonly scale: CloudScale;
}

/** The same image for each family, pushed into one repository and mounted into another. */
async function compareStored({ stores, group, start, scale }: StoredComparison): Promise<StoredResult[]> {
  const { sites } = await startSites({ ...start, stores, group });
  const layers = Array.from({ length: scale.imageLayers }, () => randomBlob(scale.layerBytes));
  const image = imageOf(layers, 'v1');
  const content = [...layers, image.config].reduce((sum, { size }) => sum + size, image.manifest.length);
  const results: StoredResult[] = [];
  const tell = async (title: string, name: string, work: () => Promise<unknown>) => {
    const before = await countStored(stores);
    await work();
    results.push({ title, name, stored: difference(await countStored(stores), before) });
  };
  const pushed = `an image of ${layers.length} layers, ${content.toLocaleString('en')} bytes`;
  for (const site of sites.filter(({ id }) => id === 'node' || id === 'v2')) {
    await tell(pushed, site.name, () => pushNewImage(site, 'stored/first', image));
    await tell('the same in a second repository, its layers mounted', site.name, () =>
      mountImage(site, 'stored/second', image, 'stored/first'),
    );
  }
  await group.stop();
  return results;
}
