import type { Digest } from '../../functions/oci/digest.ts';
import { sizeText } from '../text.ts';
import type { Display } from './display.ts';
import type { Blob, Image, ManifestFile, PendingBlob, Sent } from './image.ts';
import { inParallel, persist } from './persistence.ts';
import { type Fate, pushBlob } from './push-blob.ts';
import type { Repository } from './repository.ts';

interface Pushing {
  readonly repository: Repository;
  readonly tag: string;
  readonly jobs: number;
  readonly display: Display;
  readonly signal: AbortSignal;
  /** Ends everything that goes on by `signal`. */
  readonly stop: (reason: unknown) => void;
}

export interface Pushed {
  readonly manifest: ManifestFile;
  readonly blobs: Readonly<Record<Fate, number>>;
  readonly bytesSent: number;
}

/** Pushes an image: its blobs, several at a time and only those that the repository lacks, then its manifests, and last
 *  the one under the tag. What was pushed in vain is there for the next attempt. */
export async function pushImage(image: Image, pushing: Pushing): Promise<Pushed> {
  const sent = new Map<Digest, Sent>();
  const blobs = { sent: 0, present: 0, mounted: 0 };
  let bytesSent = 0;
  const push = async (pending: PendingBlob) => {
    const { blob, fate } = await pushPending(pending, pushing);
    const { size } = blob.content;
    sent.set(pending.name, { digest: blob.digest, size });
    blobs[fate] += 1;
    if (fate === 'sent') bytesSent += size;
  };
  await inParallel(image.blobs, pushing.jobs, push, pushing.stop);
  const manifests = image.manifests(sent);
  const [manifest] = manifests.slice(-1);
  if (!manifest) throw new Error('an image has a manifest');
  for (const child of manifests.slice(0, -1)) await pushManifest(child.digest, child, pushing);
  await pushManifest(pushing.tag, manifest, pushing);
  return { manifest, blobs, bytesSent };
}

interface Outcome {
  readonly blob: Blob;
  readonly fate: Fate;
}

async function pushPending(pending: PendingBlob, pushing: Pushing): Promise<Outcome> {
  const { signal, display } = pushing;
  signal.throwIfAborted();
  const line = display.line(shortOf(pending.name));
  line.phase('reading', pending.size);
  const blob = await pending.prepare({ signal, onBytes: line.add });
  try {
    const fate = await pushBlob(blob, { repository: pushing.repository, line, signal });
    line.end(endOf(fate, blob.content.size));
    return { blob, fate };
  } finally {
    await blob.dispose?.();
  }
}

const ENDS: Readonly<Record<Fate, string>> = {
  sent: 'sent',
  present: 'there already',
  mounted: 'there in another repository',
};

const endOf = (fate: Fate, size: number) => `${ENDS[fate]}, ${sizeText(size)}`;

/** As much of a digest as people compare. */
const shortOf = (digest: Digest) => digest.slice(0, digest.indexOf(':') + 13);

async function pushManifest(reference: string, manifest: ManifestFile, pushing: Pushing): Promise<void> {
  const { display, repository, signal } = pushing;
  signal.throwIfAborted();
  const line = display.line(`manifest ${shortOf(manifest.digest)}`);
  line.phase('sending');
  await persist(() => repository.putManifest(reference, manifest), { signal, onRetry: line.again });
  line.end('sent');
}
