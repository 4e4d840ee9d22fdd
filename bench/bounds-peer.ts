import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { LOOPBACK } from './servers.ts';
import { MIB } from './workloads/figures.ts';

// The other end of what `bounds.ts` measures, on a thread of its own. Started with the number of bytes to send to
// whoever connects; says where.

export interface Ports {
  readonly bytes: number;
  readonly http: number;
}

const piece = Buffer.alloc(MIB);

const ports: Ports = {
  bytes: await listen(createServer((socket) => void send(socket, workerData as number))),
  http: await listen(createHttpServer(drain)),
};
parentPort?.postMessage(ports);

function drain(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  request.once('end', () => response.end());
}

async function send(socket: Socket, bytes: number): Promise<void> {
  for (let sent = 0; sent < bytes; sent += piece.length) {
    if (!socket.write(piece)) {
      await once(socket, 'drain');
    }
  }
  socket.end();
}

async function listen(server: Server): Promise<number> {
  server.listen(0, LOOPBACK);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
