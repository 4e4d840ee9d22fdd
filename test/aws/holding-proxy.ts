import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request that has arrived and is not answered. */
interface Held {
  /** Resolves when its sender has given it up, or `drop` has. */
  readonly gone: Promise<void>;
  /** Ends its connection, as if it had been lost on the way. */
  drop(): void;
  /** Passes it on now, however long ago it came; answers the status. */
  carryOut(): Promise<number>;
}

export interface HoldingProxy {
  readonly url: string;
  /** Operations of DynamoDB that have arrived, in their order. */
  readonly trace: readonly string[];
  /** Holds the first request from now on whose body has this text. */
  hold(operation: string, text: string): Promise<Held>;
  stop(): Promise<void>;
}

interface Trap {
  readonly operation: string;
  readonly text: string;
  readonly spring: (held: Held) => void;
}

/** Passes requests on to a DynamoDB at `target`, but for those that it is told to hold. */
export async function startHoldingProxy(target: string): Promise<HoldingProxy> {
  const trace: string[] = [];
  const traps: Trap[] = [];
  const server = createServer(async (incoming, outgoing) => {
    const closed = once(outgoing, 'close');
    const body = Buffer.concat(await incoming.toArray());
    const operation = `${incoming.headers['x-amz-target']}`.split('.').at(-1) ?? '';
    trace.push(operation);
    const index = traps.findIndex((trap) => trap.operation === operation && body.includes(trap.text));
    const [trap] = index < 0 ? [] : traps.splice(index, 1);
    if (!trap) return pass(target, incoming, body, outgoing);
    trap.spring({
      gone: closed.then(() => undefined),
      drop: () => void outgoing.destroy(),
      carryOut: async () => (await send(target, incoming, body)).statusCode ?? 0,
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    trace,
    hold: (operation, text) => new Promise((spring) => void traps.push({ operation, text, spring })),
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function pass(target: string, incoming: IncomingMessage, body: Buffer, outgoing: ServerResponse) {
  const answer = await send(target, incoming, body);
  outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
  answer.pipe(outgoing);
}

async function send(
  target: string,
  { method = '', url = '/', headers }: IncomingMessage,
  body: Buffer,
): Promise<IncomingMessage> {
  const onward = request(new URL(url, target), { method, headers });
  onward.end(body);
  const [answer] = (await once(onward, 'response')) as [IncomingMessage];
  return answer;
}
