import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { FaultName } from '../aws/front/faults.ts';
import { type Client, Desk, type Session } from './client.ts';
import { invitePeople } from './identity.ts';
import type { AskOptions } from './round-trip.ts';

// What clients do where a gateway answers in place of the registry: they send the request again, or they give up.

interface BusyOptions extends AskOptions {
  /** Where the front door's harness takes faults. */
  readonly harness: string;
}

/** What a gateway answers by itself to the first request of each method and path, and who is seen to get through all the same. */
const REPEATED = {
  'gateway-429': { push: [], pull: ['oras', 'helm'] },
  'gateway-503': { push: [], pull: ['crane', 'oras', 'helm'] },
  'gateway-504': { push: [], pull: ['crane', 'oras', 'helm'] },
  'front-503': { push: [], pull: ['crane', 'oras', 'helm'] },
} as const satisfies Partial<Record<FaultName, Record<Move, readonly string[]>>>;

type Move = 'push' | 'pull';

/** Pushes and pulls a small image while the gateway refuses some requests. Fails where one gives up that did not. */
export async function askWhileBusy(client: Client, options: BusyOptions): Promise<void> {
  const { report, accounts, harness } = options;
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
    await report.check(client.name, 'logs in', async () =>
      session.login((await invitePeople(accounts, desk)).user),
    );
    for (const fault of Object.keys(REPEATED) as (keyof typeof REPEATED)[]) {
      await report.check(
        client.name,
        `is told ${fault}:`,
        () => moveBoth(client, { fault, desk, session, harness }),
        (says) => says,
      );
    }
  } finally {
    await report.check(client.name, 'leaves nothing running', () => session.close());
    await rm(directory, { recursive: true, force: true });
  }
}

interface Moves {
  readonly fault: keyof typeof REPEATED;
  readonly desk: Desk;
  readonly session: Session;
  readonly harness: string;
}

/** What gets through. Fails where the client is known to repeat, and does not. */
async function moveBoth({ name }: Client, { fault, desk, session, harness }: Moves): Promise<string> {
  const parcel = desk.tinyParcel(fault);
  const isPushed = await whileRefused(harness, fault, () => session.push(parcel));
  if (!isPushed) await session.push(parcel);
  await session.remove(parcel);
  const isPulled = await whileRefused(harness, fault, () => session.pull(parcel));
  const says = `push ${isPushed ? 'gets through' : 'fails'}, pull ${isPulled ? 'gets through' : 'fails'}`;
  const known: Record<Move, readonly string[]> = REPEATED[fault];
  const isWorse = (!isPushed && known.push.includes(name)) || (!isPulled && known.pull.includes(name));
  if (isWorse) throw new Error(`${says}, where it is known to repeat`);
  return says;
}

async function whileRefused(
  harness: string,
  fault: FaultName,
  move: () => Promise<unknown>,
): Promise<boolean> {
  await setFaults(harness, { [fault]: true });
  const isThrough = await move().then(
    () => true,
    () => false,
  );
  await setFaults(harness, { [fault]: false });
  return isThrough;
}

async function setFaults(harness: string, faults: Readonly<Record<string, boolean>>): Promise<void> {
  const answer = await fetch(new URL('/faults', harness), { method: 'POST', body: JSON.stringify(faults) });
  if (!answer.ok) throw new Error(`the harness answers ${answer.status}: ${await answer.text()}`);
}
