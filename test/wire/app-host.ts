import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp } from '../../functions/app.ts';
import { openEmbedded } from '../../local/embedded.ts';
import type { Target } from './exchange.ts';

export interface Host extends Target {
  close(): Promise<void>;
}

/** Whatever it is called: what it answers is not to depend on a name. */
export const ANY = { hosts: [], any: true };

/** The app over a registry in a directory of its own, called as a function. */
export async function openAppHost(): Promise<Host> {
  const data = await mkdtemp(join(tmpdir(), 'stowage-wire-'));
  const { registry, close } = await openEmbedded({ data });
  const app = createApp({ registry, names: ANY });
  return {
    fetch: async (path, init) => withoutBodyOfHead(init, await app(asSent(path, init))),
    close: async () => {
      await close();
      await rm(data, { recursive: true });
    },
  };
}

/** The app may answer HEAD as it answers GET; every host leaves the body out. */
function withoutBodyOfHead({ method }: RequestInit, response: Response): Response {
  return method === 'HEAD' && response.ok ? new Response(null, response) : response;
}

/** A request as it arrives from the network: with the Content-Length that every client sends. */
function asSent(path: string, init: RequestInit): Request {
  const request = new Request(`http://registry.test${path}`, init);
  const { body } = init;
  if (body instanceof Uint8Array) request.headers.set('content-length', `${body.length}`);
  if (body === undefined && !['GET', 'HEAD'].includes(request.method)) {
    request.headers.set('content-length', '0');
  }
  return request;
}
