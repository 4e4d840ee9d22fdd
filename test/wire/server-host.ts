import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp } from '../../functions/app.ts';
import { openEmbedded } from '../../local/embedded.ts';
import { serve } from '../../local/server.ts';
import { ANY, type Host } from './app-host.ts';

/** The app behind a listening server on a free port. */
export async function openServerHost(): Promise<Host & { readonly url: string }> {
  const data = await mkdtemp(join(tmpdir(), 'stowage-wire-'));
  const { registry, close } = await openEmbedded({ data });
  const server = await serve(createApp({ registry, names: ANY }), { host: '127.0.0.1', port: 0 });
  return {
    url: server.url,
    fetch: async (path, init) => await fetch(new URL(path, server.url), init),
    close: async () => {
      await server.close();
      await close();
      await rm(data, { recursive: true });
    },
  };
}
