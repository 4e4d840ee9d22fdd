import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';

interface SlowProxy {
  readonly url: string;
  stop(): Promise<void>;
}

/** Passes requests on to `target`, each after `delayMs`: the distance to AWS that servers on one machine lack. */
export async function startSlowProxy(target: string, delayMs: number): Promise<SlowProxy> {
  const server = createServer(async (incoming, outgoing) => {
    await setTimeout(delayMs);
    const { method, headers, url = '/' } = incoming;
    const onward = request(new URL(url, target), { ...(method && { method }), headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
