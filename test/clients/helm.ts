import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import type { Client, Copy, Desk, Parcel, Session } from './client.ts';
import { digestIn } from './client.ts';
import { sha256, TAG } from './layout.ts';

export const helm: Client = {
  name: 'helm',
  sends: 'PUT',
  programs: ['helm'],
  hasNoIndex: true,
  open,
};

/** Of the files in a chart that stands for the image; Helm takes none above 5 MiB. */
const BIG_FILE_BYTES = 3_000_000;
const BIG_FILES = ['one', 'two'];

/** A chart takes the place of an image: its name is the end of the repository's, its version the tag. */
async function open(desk: Desk): Promise<Session> {
  const { host } = desk.registry;
  // Where a digest belongs, on standard output, Helm prints none.
  const run = (args: readonly string[], input = '') => desk.run('helm', args, { input, withErrors: true });
  return {
    version: `helm ${(await run(['version', '--short'])).trim()}`,
    extras: [],
    async login({ username, password }) {
      const login = ['registry', 'login', '--plain-http', '--username', username, '--password-stdin', host];
      await run(login, password);
    },
    async logout() {
      await run(['registry', 'logout', host]);
    },
    async push(parcel) {
      await packageChart(desk, parcel);
      const parent = parcel.reference.replace(/\/[^/]*$/, '');
      const printed = await run(['push', '--plain-http', chartFile(desk, parcel), `oci://${parent}`]);
      return await copyOf(desk, parcel, printed);
    },
    async remove(parcel) {
      await rm(chartFile(desk, parcel), { force: true });
    },
    async pull(parcel) {
      const [reference] = parcel.reference.split(/:[^:/]*$/);
      const flags = ['--plain-http', '--version', versionOf(parcel), '--destination', desk.directory];
      return await copyOf(desk, parcel, await run(['pull', ...flags, `oci://${reference}`]));
    },
    close: async () => undefined,
  };
}

async function packageChart(desk: Desk, parcel: Parcel): Promise<void> {
  const { name, layout } = parcel;
  const chart = desk.file(`chart-${name}`);
  await mkdir(chart, { recursive: true });
  await writeFile(`${chart}/Chart.yaml`, `apiVersion: v2\nname: ${name}\nversion: ${versionOf(parcel)}\n`);
  const bytes = layout === desk.images.tiny ? 100 : BIG_FILE_BYTES;
  for (const file of BIG_FILES) await writeFile(`${chart}/${file}.bin`, randomBytes(bytes));
  await desk.run('helm', ['package', '--destination', desk.directory, chart]);
}

async function copyOf(desk: Desk, parcel: Parcel, printed: string): Promise<Copy> {
  const contents = await sha256(createReadStream(chartFile(desk, parcel)));
  return { digest: digestIn(printed), contents: [contents] };
}

const versionOf = ({ reference }: Parcel) => /:([^:/]*)$/.exec(reference)?.[1] ?? TAG;
const chartFile = (desk: Desk, parcel: Parcel) => desk.file(`${parcel.name}-${versionOf(parcel)}.tgz`);
