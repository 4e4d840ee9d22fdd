import { createHash } from 'node:crypto';

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';

/** What a client was told, and what it merely tried. The registry must keep the former, and whatever it has
 *  of the latter must be whole. */
export interface Ledger {
  readonly acknowledged: Set<string>;
  readonly attempted: Set<string>;
}

export const newLedger = (): Ledger => ({ acknowledged: new Set(), attempted: new Set() });

interface Pusher {
  readonly url: string;
  readonly random: () => number;
  readonly ledger: Ledger;
}

/** Pushes images of random blobs one after the other until the registry dies. */
export async function pushUntilDeath(pusher: Pusher, name: string): Promise<void> {
  try {
    for (let n = 0; ; n += 1) await pushImage(pusher, `${name}-${n % 3}`, `v${n}`);
  } catch (error) {
    if (error instanceof UnexpectedAnswer) throw error;
  }
}

class UnexpectedAnswer extends Error {}

async function pushImage(pusher: Pusher, repository: string, tag: string): Promise<void> {
  const count = 1 + Math.floor(pusher.random() * 3);
  const blobs = await Promise.all(Array.from({ length: count + 1 }, () => pushBlob(pusher, repository)));
  const [config, ...layers] = blobs.map(({ digest, size }) => ({ mediaType: 'application/x', digest, size }));
  const padding = 'x'.repeat(pusher.random() < 0.3 ? 30_000 : 0); // some manifests are objects of their own
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config,
    layers,
    annotations: { padding },
  });
  const digest = sha256(Buffer.from(manifest));
  const paths = [`/v2/${repository}/manifests/${digest}`, `/v2/${repository}/manifests/${tag}`];
  const path = `${paths[0]}?tag=${tag}&tag=latest`;
  await told(pusher, paths, async () => {
    const headers = { 'Content-Type': MANIFEST_TYPE };
    await send(pusher, 'PUT', path, { body: manifest, headers }, 201);
  });
}

async function pushBlob(pusher: Pusher, repository: string): Promise<{ digest: string; size: number }> {
  const { random } = pusher;
  const bytes = Buffer.alloc(1 + Math.floor(random() * 200_000), `${random()}`);
  const digest = sha256(bytes);
  const cut = random() < 0.5 ? 0 : Math.floor(bytes.length / 2);
  await told(pusher, [`/v2/${repository}/blobs/${digest}`], async () => {
    let location = await send(pusher, 'POST', `/v2/${repository}/blobs/uploads/`, {}, 202);
    if (cut > 0) location = await send(pusher, 'PATCH', location, { body: bytes.subarray(0, cut) }, 202);
    await send(pusher, 'PUT', `${location}?digest=${digest}`, { body: bytes.subarray(cut) }, 201);
  });
  return { digest, size: bytes.length };
}

async function told({ ledger }: Pusher, paths: readonly string[], act: () => Promise<void>): Promise<void> {
  for (const path of paths) ledger.attempted.add(path);
  await act();
  for (const path of paths) ledger.acknowledged.add(path);
}

async function send({ url }: Pusher, method: string, path: string, init: RequestInit, status: number) {
  const response = await fetch(url + path, { ...init, method });
  if (response.status !== status) {
    throw new UnexpectedAnswer(`${method} ${path}: ${response.status} ${await response.text()}`);
  }
  return response.headers.get('location') ?? '';
}

export const sha256 = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** A small generator whose seed makes a run's choices repeatable (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
