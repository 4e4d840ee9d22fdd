import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Accounts } from './accounts.ts';
import { type Client, type Copy, Desk, type DeskOptions, type Parcel, type Session } from './client.ts';
import { checkIdentity, expectRefusal, invitePeople } from './identity.ts';
import { checkLanes, describeCounts, type Lanes } from './lanes.ts';
import { TAG } from './layout.ts';
import { expectEqual, type Stored } from './registry.ts';
import type { Report } from './report.ts';

/** What a client is asked with. */
export interface AskOptions extends DeskOptions {
  readonly directory: string;
  readonly report: Report;
  readonly accounts: Accounts;
  /** Whether to leave out all but the checks of who may do what. */
  readonly onlyIdentity: boolean;
  /** Where a front door is between clients and registry, what it saw. */
  readonly lanes?: Lanes | undefined;
  /** Whether a layer of unknown or great length is refused to those who send it by PATCH. */
  readonly refusesPatches: boolean;
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
    if (options.refusesPatches && client.sends === 'PATCH') {
      await report.check(client.name, 'logs in as a user', () => session.login(people.user));
      await expectTooLarge(client, desk, session, report);
      return;
    }
    if (!onlyIdentity) {
      await report.check(client.name, 'logs in as a user', () => session.login(people.user));
      await moveImages(client, desk, session, options);
    }
    await checkIdentity({ client, desk, session, people, report });
  } finally {
    await report.check(client.name, 'leaves nothing running', () => session.close());
    await rm(directory, { recursive: true, force: true });
  }
}

/** Of the command that pushes: long before the 50 seconds that docker would spend on repetitions. */
const REFUSAL_SECONDS = 20;

/** A layer above what Lambda takes is refused at once, and the client prints what to do about it. */
async function expectTooLarge(client: Client, desk: Desk, session: Session, report: Report): Promise<void> {
  await report.check(client.name, 'is told at once what takes its large layers', async () => {
    const { seconds } = await expectTooLargeToPush(() => session.push(desk.parcel('image')));
    if (seconds > REFUSAL_SECONDS) throw new Error(`it took ${seconds.toFixed(1)} s`);
  });
}

/** A client in Go that still writes when the answer comes tells either: the answer, or that it has closed the connection
 *  itself. Which one is chance, the more so on a busy machine. */
const TRIES = 5;

async function expectTooLargeToPush(push: () => Promise<unknown>): Promise<{ readonly seconds: number }> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await expectRefusal(push, /stowage push/);
    } catch (error) {
      if (tried === TRIES || !/broken pipe|connection reset/.test(`${error}`)) throw error;
    }
  }
}

async function moveImages(client: Client, desk: Desk, session: Session, options: AskOptions): Promise<void> {
  const { report } = options;
  const trip = { client, desk, session, ...options };
  const image = await roundTrip(trip, desk.parcel('image'));
  for (const { what, run } of session.extras) {
    if (image === undefined) report.skip(client.name, what, 'it has no image to do so with');
    else await report.check(client.name, what, () => run(image));
  }
  if (!client.hasNoIndex) await roundTrip(trip, desk.parcel('index'));
}

interface Trip extends AskOptions {
  readonly client: Client;
  readonly desk: Desk;
  readonly session: Session;
}

/** Push, look at what the registry has, remove, pull, compare. Returns what came back, if all was well. */
async function roundTrip(trip: Trip, parcel: Parcel): Promise<Copy | undefined> {
  const { client, registry, session, report, lanes } = trip;
  const { kind, repository } = parcel;
  await lanes?.reset();
  const sent = await report.check(client.name, `pushes the ${kind}`, () => session.push(parcel));
  if (sent === undefined) {
    report.skip(client.name, `pulls the ${kind} back`, 'it was not pushed');
    return undefined;
  }
  const counts = await lanes?.counts();
  const stored = await report.check(
    client.name,
    `finds all of the ${kind} in the registry:`,
    async () => {
      const found = await registry.verify(repository, TAG);
      expectEqual(`digest of the ${kind}`, found.digest, sent.digest);
      return found;
    },
    describeStored,
  );
  if (counts && stored) {
    const look = async () => checkLanes(client, kind, counts, stored);
    await report.check(client.name, 'sends no large layer through Lambda:', look, describeCounts);
  }
  await report.check(client.name, `removes its copy of the ${kind}`, () => session.remove(parcel));
  return await report.check(client.name, `pulls the ${kind} back, and the digests are equal`, async () => {
    const received = await session.pull(parcel);
    expectEqual(`digest of the ${kind}`, received.digest, sent.digest);
    expectEqual(`contents of the ${kind}`, received.contents, sent.contents);
    return received;
  });
}

function describeStored({ blobs, bytes }: Stored): string {
  return `${blobs} blobs, ${(bytes / 1e6).toFixed(1)} MB`;
}
