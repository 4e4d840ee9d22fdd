import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Client, type Copy, Desk, type DeskOptions, type Kind, type Session } from './client.ts';
import { TAG } from './layout.ts';
import { expectEqual, type Stored } from './registry.ts';
import type { Report } from './report.ts';

/** Puts one client through all that is asked of it, in a directory that is gone afterwards. */
export async function askClient(
  client: Client,
  options: DeskOptions & { readonly directory: string; readonly report: Report },
): Promise<void> {
  const { report } = options;
  const directory = join(options.directory, client.name);
  await mkdir(directory);
  const desk = await Desk.create(client.name, directory, options);
  const session = await report.check(
    client.name,
    'starts:',
    () => client.open(desk),
    ({ version }) => version,
  );
  if (session === undefined) return;
  try {
    const image = await roundTrip(desk, session, 'image', report);
    for (const { what, run } of session.extras) {
      if (image === undefined) report.skip(client.name, what, 'it has no image to do so with');
      else await report.check(client.name, what, () => run(image));
    }
    await roundTrip(desk, session, 'index', report);
  } finally {
    await report.check(client.name, 'leaves nothing running', () => session.close());
    await rm(directory, { recursive: true, force: true });
  }
}

/** Push, look at what the registry has, remove, pull, compare. Returns what came back, if all was well. */
async function roundTrip(
  desk: Desk,
  session: Session,
  kind: Kind,
  report: Report,
): Promise<Copy | undefined> {
  const { client, registry } = desk;
  const sent = await report.check(client, `pushes the ${kind}`, () => session.push(kind));
  if (sent === undefined) {
    report.skip(client, `pulls the ${kind} back`, 'it was not pushed');
    return undefined;
  }
  await report.check(
    client,
    `finds all of the ${kind} in the registry:`,
    async () => {
      const stored = await registry.verify(desk.repository(kind), TAG);
      expectEqual(`digest of the ${kind}`, stored.digest, sent.digest);
      return stored;
    },
    describeStored,
  );
  await report.check(client, `removes its copy of the ${kind}`, () => session.remove(kind));
  return await report.check(client, `pulls the ${kind} back, and the digests are equal`, async () => {
    const received = await session.pull(kind);
    expectEqual(`digest of the ${kind}`, received.digest, sent.digest);
    expectEqual(`contents of the ${kind}`, received.contents, sent.contents);
    return received;
  });
}

function describeStored({ blobs, bytes }: Stored): string {
  return `${blobs} blobs, ${(bytes / 1e6).toFixed(1)} MB`;
}
