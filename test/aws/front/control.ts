import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { Instance } from '../ec2/instance.ts';
import type { AwsStores } from '../stores.ts';
import type { Counters } from './counters.ts';
import type { Faults } from './faults.ts';
import type { Origin } from './origins.ts';

export interface ControlOptions {
  readonly counters: Counters;
  readonly faults: Faults;
  /** Where origins are without the front door, for who wants to see that nobody gets in there. */
  readonly origins: Readonly<Record<string, Origin>>;
  readonly conflicts: AwsStores['conflicts'];
  /** What the stream host runs on, where it may sleep. */
  readonly instance?: Instance | undefined;
}

export interface Control {
  readonly url: string;
  close(): Promise<void>;
}

/** What tests ask of the harness, and tell it, while it runs: `GET /counts`, `POST /reset-counts`, `GET` and `POST /faults`
 *  with an object of names and settings, `GET /origins`, `GET /conflicts`, `GET` and `POST /ec2`. */
export async function startControl(options: ControlOptions): Promise<Control> {
  const server = createServer((incoming, outgoing) => {
    respond(incoming, options).then(
      (body) => send(outgoing, 200, body),
      (error: unknown) => send(outgoing, 400, { error: error instanceof Error ? error.message : `${error}` }),
    );
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function respond(
  incoming: IncomingMessage,
  { counters, faults, origins, conflicts, instance }: ControlOptions,
): Promise<unknown> {
  switch (`${incoming.method} ${incoming.url}`) {
    case 'GET /counts':
      return counters.counts;
    case 'POST /reset-counts':
      counters.reset();
      return counters.counts;
    case 'GET /conflicts':
      return Object.fromEntries(conflicts);
    case 'GET /faults':
      return faults.list();
    case 'POST /faults':
      faults.set(Object(await json(incoming)) as Record<string, unknown>);
      return faults.list();
    case 'POST /ec2':
      tellEc2(instance, Object(await json(incoming)) as Record<string, unknown>);
      return ec2Of(instance);
    case 'GET /ec2':
      return ec2Of(instance);
    case 'GET /origins':
      return Object.fromEntries(Object.entries(origins).map(([id, { url }]) => [id, url]));
    default:
      throw new Error(`the harness does not know ${incoming.method} ${incoming.url}`);
  }
}

const ec2Of = (instance?: Instance) =>
  instance && { state: instance.state, boots: instance.boots, ...instance.faults };

/** Changes faults by their names; `{"stop": true}` and `{"start": true}` are what an operator does. */
function tellEc2(instance: Instance | undefined, { stop, start, ...wanted }: Record<string, unknown>): void {
  if (!instance) throw new Error('there is no stream host that sleeps');
  const known = instance.faults as unknown as Record<string, unknown>;
  for (const [name, value] of Object.entries(wanted))
    if (typeof value !== typeof known[name])
      throw new Error(`EC2 has no fault ${name}: ${JSON.stringify(value)}`);
  Object.assign(instance.faults, wanted);
  if (stop) instance.stop();
  if (start) instance.start();
}

function send(outgoing: ServerResponse, status: number, body: unknown): void {
  outgoing.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}
