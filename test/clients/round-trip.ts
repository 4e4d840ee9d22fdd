import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Accounts } from './accounts.ts';
import { type Client, type Copy, Desk, type DeskOptions, type Parcel, type Session } from './client.ts';
import { checkIdentity, invitePeople } from './identity.ts';
import { TAG } from './layout.ts';
import { expectEqual, type Stored } from './registry.ts';
import type { Report } from './report.ts';

interface AskOptions extends DeskOptions {
  readonly directory: string;
  readonly report: Report;
  readonly accounts: Accounts;
  /** Whether to leave out all but the checks of who may do what. */
  readonly onlyIdentity: boolean;
}

/** Puts one client through all that is asked of it, in a directory that is gone afterwards. */
export async function askClient(client: Client, options: AskOptions): Promise<void> {
  const { report, accounts, onlyIdentity } = options;
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
    const people = await report.check(client.name, 'is given users and robots', () =>
      invitePeople(accounts, desk),
    );
    if (people === undefined) return;
    if (!onlyIdentity) {
      await report.check(client.name, 'logs in as a user', () => session.login(people.user));
      await moveImages(client, desk, session, report);
    }
    await checkIdentity({ client, desk, session, people, report });
  } finally {
    await report.check(client.name, 'leaves nothing running', () => session.close());
    await rm(directory, { recursive: true, force: true });
  }
}

async function moveImages(client: Client, desk: Desk, session: Session, report: Report): Promise<void> {
  const image = await roundTrip(desk, session, desk.parcel('image'), report);
  for (const { what, run } of session.extras) {
    if (image === undefined) report.skip(client.name, what, 'it has no image to do so with');
    else await report.check(client.name, what, () => run(image));
  }
  if (!client.hasNoIndex) await roundTrip(desk, session, desk.parcel('index'), report);
}

/** Push, look at what the registry has, remove, pull, compare. Returns what came back, if all was well. */
async function roundTrip(
  desk: Desk,
  session: Session,
  parcel: Parcel,
  report: Report,
): Promise<Copy | undefined> {
  const { client, registry } = desk;
  const { kind, repository } = parcel;
  const sent = await report.check(client, `pushes the ${kind}`, () => session.push(parcel));
  if (sent === undefined) {
    report.skip(client, `pulls the ${kind} back`, 'it was not pushed');
    return undefined;
  }
  await report.check(
    client,
    `finds all of the ${kind} in the registry:`,
    async () => {
      const stored = await registry.verify(repository, TAG);
      expectEqual(`digest of the ${kind}`, stored.digest, sent.digest);
      return stored;
    },
    describeStored,
  );
  await report.check(client, `removes its copy of the ${kind}`, () => session.remove(parcel));
  return await report.check(client, `pulls the ${kind} back, and the digests are equal`, async () => {
    const received = await session.pull(parcel);
    expectEqual(`digest of the ${kind}`, received.digest, sent.digest);
    expectEqual(`contents of the ${kind}`, received.contents, sent.contents);
    return received;
  });
}

function describeStored({ blobs, bytes }: Stored): string {
  return `${blobs} blobs, ${(bytes / 1e6).toFixed(1)} MB`;
}
