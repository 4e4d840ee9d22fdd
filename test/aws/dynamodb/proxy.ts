import { once } from 'node:events';
import { Agent, createServer, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { RunningTransactions } from './transactions.ts';

interface ProxyOptions {
  /** How much longer each call takes: the distance to AWS that servers on one machine lack. @default 0 */
  readonly latencyMs?: number;
  /** How long a transaction runs on average, half of that at least. @default transactions do not conflict */
  readonly transactionMs?: number;
}

export interface DynamoDbProxy {
  readonly url: string;
  /** How often an item was the reason for a refusal, by its kind: `D#…  #`. */
  readonly conflicts: ReadonlyMap<string, number>;
  stop(): Promise<void>;
}

/** A call of DynamoDB, or its answer. */
interface Message {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer | string;
}

/** Passes calls on to a server of DynamoDB, and adds what it lacks: a distance, and conflicts between transactions. */
export async function startProxy(
  target: string,
  { latencyMs = 0, transactionMs }: ProxyOptions,
): Promise<DynamoDbProxy> {
  const agent = new Agent({ keepAlive: true });
  const running = new RunningTransactions();
  const answer = async (call: Message): Promise<Answer> => {
    if (latencyMs > 0) await setTimeout(latencyMs);
    const onward = () => passOn(target, agent, call);
    if (transactionMs === undefined) return onward();
    return running.run(operationOf(call), call.body, async (isTransaction) => {
      if (isTransaction) await setTimeout(transactionMs * (0.5 + Math.random()));
      return onward();
    });
  };
  const server = createServer((incoming, outgoing) => {
    buffer(incoming)
      .then((body) => answer({ headers: incoming.headers, body }))
      .then(({ status, headers, body }) => outgoing.writeHead(status, headers).end(body))
      .catch(() => outgoing.destroy());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    conflicts: running.conflicts,
    async stop() {
      server.close();
      server.closeAllConnections();
      agent.destroy();
      await once(server, 'close');
    },
  };
}

/** `TransactWriteItems` of `DynamoDB_20120810.TransactWriteItems`. */
const operationOf = ({ headers }: Message) => `${headers['x-amz-target']}`.split('.')[1] ?? '';

async function passOn(target: string, agent: Agent, { headers, body }: Message): Promise<Answer> {
  const onward = request(target, { method: 'POST', headers, agent });
  onward.end(body);
  const [answer] = await once(onward, 'response');
  return { status: answer.statusCode ?? 502, headers: answer.headers, body: await buffer(answer) };
}
