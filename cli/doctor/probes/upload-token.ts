import { randomUUID } from 'node:crypto';
import { type Deployment, uploadTokenIn } from '../deployment.ts';
import { EVERY_FAMILY } from '../families.ts';
import { failed, ok } from '../finding.ts';
import type { Probe } from '../probe.ts';
import { describe, errorOf } from '../tokens.ts';
import { announcePut, DIRECT_BYTES, withQuery } from '../uploads.ts';

const DIGEST = `sha256:${'0'.repeat(64)}`;

export const uploadToken: Probe = {
  name: 'upload-token',
  title: 'upload tokens that are expired, forged, foreign or missing',
  needs: 'front door',
  async run(deployment) {
    const [mine, other] = [await deployment.startUpload(), await deployment.startUpload()];
    const [kid = '', expires = '', object = '', mac = ''] = (uploadTokenIn(mine) ?? '').split('.');
    const past = `${Math.floor(Date.now() / 1000) - 3600}`;
    const later = `${Number(expires) + 3600}`;
    const attempts: readonly (readonly [what: string, location: string])[] = [
      ['an expired token', withToken(mine, [kid, past, object, mac])],
      ['a prolonged token', withToken(mine, [kid, later, object, mac])],
      ['a forged signature', withToken(mine, [kid, expires, object, flipped(mac)])],
      ['another object', withToken(mine, [kid, expires, randomUUID(), mac])],
      ['an unknown key', withToken(mine, ['ffffffffffffffff', expires, object, mac])],
      ["another upload's token", withToken(mine, (uploadTokenIn(other) ?? '').split('.'))],
      ['no token', mine.split('?')[0] ?? ''],
      [
        'the token of another repository',
        mine.replace(`/v2/${deployment.repository}/`, '/v2/doctor/elsewhere/'),
      ],
    ];
    for (const [what, location] of attempts) await checkRefused(deployment, what, location);
    return ok(`${attempts.length} kinds are refused at the edge, before any byte of a body is sent`);
  },
};

const withToken = (location: string, parts: readonly string[]) =>
  location.replace(/([?&]token=)[^&]*/, (_, name: string) => name + parts.join('.'));

/** The last character of base64url carries spare bits, so it is the first one that is changed. */
const flipped = (mac: string) => (mac.startsWith('A') ? 'B' : 'A') + mac.slice(1);

async function checkRefused(deployment: Deployment, what: string, location: string): Promise<void> {
  const target = withQuery(location, ['digest', DIGEST]);
  const answer = await announcePut(deployment, target, DIRECT_BYTES).catch((error: Error) => error);
  if (!(answer instanceof Error) && answer.status >= 400 && answer.status < 500 && errorOf(answer).code)
    return;
  const says =
    answer instanceof Error ? `not refused at once: ${answer.message}` : `answered ${describe(answer)}`;
  throw failed(`a PUT with ${what} is ${says}`, {
    affects: EVERY_FAMILY,
    means: 'whoever has seen one upload may be able to write to the store where they have no right to',
    cure: 'see that the front door runs viewer-request of this version, and that its KeyValueStore is filled',
  });
}
