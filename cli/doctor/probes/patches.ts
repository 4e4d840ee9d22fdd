import { sizeText } from '../../text.ts';
import type { Attempt, Deployment } from '../deployment.ts';
import {
  AGENT_FAMILIES,
  AGENTS,
  type AgentFamily,
  FAMILIES,
  type Family,
  PATCH_FAMILIES,
} from '../families.ts';
import { failed, ok } from '../finding.ts';
import type { Answer } from '../http.ts';
import { Noise } from '../noise.ts';
import type { Probe } from '../probe.ts';
import { describe, errorOf } from '../tokens.ts';
import { DIRECT_BYTES, SMALL_BYTES, withQuery } from '../uploads.ts';

const MIB = 1024 * 1024;
/** docker waits 5 s before it tries again, so what takes longer is no answer at once. */
const AT_ONCE_MS = 5000;

const patchOf = (name: string, size: string, bytes: number): Probe => ({
  name,
  title: `${size} in one PATCH, as docker, podman and crane send it`,
  run: (deployment) => patchProbe(deployment, Math.min(bytes, deployment.options.largest)),
});

export const patchSmall = patchOf('patch-small', '2 kB', SMALL_BYTES);
export const patch5 = patchOf('patch-5mb', '5 MB', DIRECT_BYTES);
export const patch40 = patchOf('patch-40mb', '40 MB', 40 * MIB);

type Way = Exclude<Attempt['way'], 'PUT'>;

/** docker sends chunked bodies only, crane known lengths mostly, podman either. */
const SENT: readonly (readonly [AgentFamily, Way])[] = [
  ['docker-classic', 'chunked PATCH'],
  ['podman', 'chunked PATCH'],
  ['podman', 'PATCH'],
  ['crane', 'PATCH'],
];

async function patchProbe(deployment: Deployment, bytes: number) {
  const refused = new Set<Family>();
  for (const [family, way] of SENT) {
    const attempt = await attemptPatch(deployment, family, way, bytes);
    deployment.attempts.push(attempt);
    if (!attempt.isTaken) refused.add(family);
  }
  const size = sizeText(bytes);
  if (refused.size === 0)
    return ok(`${size} taken from all of them, chunked and with a length${waitedText(deployment)}`);
  const who = AGENT_FAMILIES.filter((family) => refused.has(family)).map((family) => FAMILIES[family]);
  return ok(
    `${size} refused at once with 413 DENIED and the cure, as there is no stream host: ${who.join('; ')}`,
  );
}

/** Of a stream host that slept when the first of them came. */
const waitedText = ({ longestWaitMs }: Deployment) =>
  longestWaitMs > 0
    ? `; the stream host was woken for the first upload, which took ${(longestWaitMs / 1000).toFixed(1)} s`
    : '';

/** Sends a blob as this client does. Throws unless it is taken whole, or refused as it should be. */
async function attemptPatch(
  deployment: Deployment,
  family: AgentFamily,
  way: Way,
  bytes: number,
): Promise<Attempt> {
  const content = new Noise(bytes);
  const agent = { 'User-Agent': AGENTS[family] };
  const location = await deployment.startUpload(agent);
  const answer = await deployment.call('PATCH', location, {
    headers: { ...agent, 'Content-Type': 'application/octet-stream' },
    body: { chunks: content.pieces(), ...(way === 'PATCH' && { length: bytes }) },
    listens: true,
  });
  const attempt = { way, families: [family], bytes };
  const what = `a ${way} of ${sizeText(bytes)} by ${FAMILIES[family]}`;
  if (answer.status === 413 && isRightRefusal(answer)) {
    return { ...attempt, isTaken: false, says: describe(answer) };
  }
  const trouble =
    answer.status === 202 ? await closeTrouble(deployment, answer, content) : refusalTrouble(answer);
  if (trouble === undefined) return { ...attempt, isTaken: true };
  deployment.attempts.push({ ...attempt, isTaken: false, says: trouble.says });
  const { means, cure } = trouble;
  throw failed(`${what} is ${trouble.says}`, { affects: [family], means, cure });
}

/** A code that no client tries again, words that a person can act on, and no wait. */
function isRightRefusal(answer: Answer): boolean {
  const { code, message = '' } = errorOf(answer);
  return code === 'DENIED' && message.includes('stowage push') && answer.milliseconds < AT_ONCE_MS;
}

interface Trouble {
  readonly says: string;
  readonly means: string;
  readonly cure: string;
}

const FRONT_CURE =
  'see that the front door runs viewer-request of this version, and whether there is a stream host';

/** What is wrong with an answer to PATCH that is neither 202 nor the refusal it should be. */
function refusalTrouble(answer: Answer): Trouble {
  const { status, milliseconds } = answer;
  const says = `answered ${describe(answer)} after ${(milliseconds / 1000).toFixed(1)} s`;
  if (status >= 300 && status < 400) return redirectTrouble(says);
  return {
    says,
    means:
      status === 413
        ? 'the push fails with a message that does not say what to do, or after many tries'
        : 'the push fails for a reason that has nothing to do with its size',
    cure: FRONT_CURE,
  };
}

const redirectTrouble = (says: string): Trouble => ({
  says,
  means: 'podman, skopeo and buildah take a redirect for success and lose the layer without a word',
  cure: 'find what answers PATCH with a redirect, and take it out; a rule from http to https does this, too',
});

/** What is wrong after a PATCH that was taken: its Range, or the PUT that ends it. */
async function closeTrouble(
  deployment: Deployment,
  answer: Answer,
  content: Noise,
): Promise<Trouble | undefined> {
  const { range = 'none', location } = answer.headers;
  if (range !== `0-${content.length - 1}` || !location) {
    return {
      says: `answered 202 with Range: ${range} and Location: ${location ?? 'none'}`,
      means: 'docker takes the size of a layer from Range, and writes a wrong one into the manifest',
      cure: 'see what drops or changes headers between the registry and here',
    };
  }
  const closed = await deployment.call('PUT', withQuery(location, ['digest', content.digest]));
  if (closed.status === 201) return undefined;
  return {
    says: `taken, but the PUT that ends it is answered ${describe(closed)}`,
    means: 'the push fails after all bytes were sent',
    cure: 'look at the logs of the registry or of its stream host at this time',
  };
}

/** Whether bodies of unknown length are taken from those who only send such. */
export function hasStreamHost(deployment: Deployment): Promise<boolean> {
  return deployment.once('stream host', async () => {
    const attempt = attemptPatch(deployment, 'docker-classic', 'chunked PATCH', SMALL_BYTES);
    // What else is wrong with it is for the probes of PATCH to tell.
    return attempt.then(
      ({ isTaken }) => isTaken,
      () => false,
    );
  });
}

export const patchRedirect: Probe = {
  name: 'patch-redirect',
  title: 'no PATCH is answered by a redirect',
  async run(deployment) {
    const agents = [...AGENT_FAMILIES.map((family) => AGENTS[family]), 'regclient/regctl (v0.11.5)'];
    for (const agent of agents) {
      const location = await deployment.startUpload();
      for (const length of [SMALL_BYTES, undefined]) {
        const answer = await deployment.call('PATCH', location, {
          headers: { 'User-Agent': agent, 'Content-Type': 'application/octet-stream' },
          body: { chunks: new Noise(SMALL_BYTES).pieces(), ...(length !== undefined && { length }) },
          listens: true,
        });
        if (answer.status < 300 || answer.status >= 400) continue;
        const says = `PATCH by ${agent} is answered ${describe(answer)}`;
        const { means, cure } = redirectTrouble(says);
        throw failed(says, { affects: PATCH_FAMILIES, means, cure });
      }
    }
    return ok(`none of ${agents.length * 2}`);
  },
};
