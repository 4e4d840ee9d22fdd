import { setTimeout } from 'node:timers/promises';
import type { Deployment } from '../deployment.ts';
import { EVERY_FAMILY, PUT_FAMILIES } from '../families.ts';
import { failed, notHere, ok, warning } from '../finding.ts';
import { headOf } from '../head.ts';
import { Noise } from '../noise.ts';
import type { Probe } from '../probe.ts';
import { describe } from '../tokens.ts';
import { DIRECT_BYTES, pushSmall, putBlob, putManifest } from '../uploads.ts';

const POLL_MS = 250;
const SLOW_MS = 10_000;

/** A PUT of 5 MB that goes past the registry. */
async function pushPast(deployment: Deployment): Promise<Noise> {
  const content = new Noise(DIRECT_BYTES);
  const answer = await putBlob(deployment, content);
  if (answer.status === 201) return content;
  throw notHere(`it needs a PUT of 5 MB, which was answered ${describe(answer)}`);
}

export const events: Probe = {
  name: 'events',
  title: 'how soon the registry learns of a blob that went past it',
  needs: 'front door',
  async run(deployment) {
    const { digest } = await pushPast(deployment);
    const started = performance.now();
    const { patienceMs } = deployment.options;
    while (performance.now() - started < patienceMs) {
      if (await isPullable(deployment, digest)) return linkedAfter(performance.now() - started);
      await setTimeout(POLL_MS);
    }
    throw failed(`${patienceMs / 1000} s after its PUT a blob of 5 MB cannot be pulled`, {
      ...LATE,
      cure: 'see that the bucket sends its events to EventBridge, and look at the logs and the dead letters of commit-uploads',
    });
  },
};

const LATE = {
  affects: EVERY_FAMILY,
  means: 'a push goes through, since its manifest asks for the blob; but uploads without a manifest pile up',
};

/** By a token that may pull only: whoever may push makes the registry look for the upload. */
async function isPullable(deployment: Deployment, digest: string): Promise<boolean> {
  const answer = await headOf(deployment, `blobs/${digest}`, { as: 'pull' });
  return answer.status === 200;
}

function linkedAfter(milliseconds: number) {
  const says = `${(milliseconds / 1000).toFixed(1)} s after the PUT it can be pulled by others`;
  if (milliseconds < SLOW_MS) return ok(says);
  return warning(says, {
    ...LATE,
    cure: 'look at how long commit-uploads runs, and whether it is throttled',
  });
}

export const manifestAtOnce: Probe = {
  name: 'manifest-at-once',
  title: 'a manifest right after the PUT of its layer',
  async run(deployment) {
    const config = await pushSmall(deployment);
    const layer = await pushPast(deployment);
    const { answer } = await putManifest(deployment, [config, layer], 'at-once');
    if (answer.status !== 201) {
      throw failed(`it is answered ${describe(answer)}, not 201`, {
        affects: PUT_FAMILIES,
        means: 'pushes fail by chance, whenever the manifest is faster than the event of its layer',
        cure: 'see that the role of the function may read objects of the bucket, and its logs at this time',
      });
    }
    if (await isPullable(deployment, layer.digest)) return ok('201, and its layer can be pulled at once');
    throw failed('201, but its layer cannot be pulled', {
      affects: EVERY_FAMILY,
      means: 'an image is listed that cannot be pulled',
      cure: 'look at the logs of the registry at this time',
    });
  },
};
