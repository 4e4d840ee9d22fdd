import type { Deployment } from '../deployment.ts';
import { EVERY_FAMILY } from '../families.ts';
import { failed, ok, warning } from '../finding.ts';
import type { Answer } from '../http.ts';
import type { Probe } from '../probe.ts';
import { tokenIn } from '../tokens.ts';

/** What the registry and its edge allow a token's times to be off. */
const TOLERANCE_SECONDS = 5;
/** Date and iat are whole seconds, and a request takes a moment. */
const ROUNDING_SECONDS = 2;
const LOCAL_WARNING_SECONDS = 60;
/** As much as AWS and issuers of ID tokens allow. */
const LOCAL_LIMIT_SECONDS = 300;

export const clock: Probe = {
  name: 'clock',
  title: 'clocks of the edge, the registry and this machine',
  async run(deployment) {
    const local = await offHere(deployment);
    const issued = await offIssue(deployment);
    if (issued > TOLERANCE_SECONDS + ROUNDING_SECONDS) {
      throw failed(`tokens are issued ${issued} s off the clock that the answers carry`, {
        affects: EVERY_FAMILY,
        means: 'fresh tokens are refused as expired or as not valid yet',
        cure: 'set the clock of the machine that the registry runs on; on AWS open a support case',
      });
    }
    if (local > LOCAL_LIMIT_SECONDS) throw failed(localText(local), LOCAL);
    if (local > LOCAL_WARNING_SECONDS) return warning(localText(local), LOCAL);
    return ok(`the same within ${Math.max(local, issued, 1)} s`);
  },
};

const localText = (seconds: number) => `this machine's clock is ${seconds} s off the registry's`;

const LOCAL = {
  affects: EVERY_FAMILY,
  means: 'clients on this machine may take tokens for expired, or keep them too long',
  cure: 'set the clock of whichever is wrong (NTP)',
};

/** Seconds between the clock that answers carry and this machine's. */
async function offHere(deployment: Deployment): Promise<number> {
  const before = Date.now();
  const time = timeOf(await deployment.call('GET', '/v2/', { as: 'nobody' }));
  const milliseconds = Math.max(before - time - 1000, time - Date.now(), 0);
  return Math.round(milliseconds / 1000);
}

/** Seconds between a token's time of issue and the clocks that answers carry: the registry's own, and the edge's. */
async function offIssue(deployment: Deployment): Promise<number> {
  if (!(await deployment.token('push'))) return 0;
  const answer = await deployment.askForToken([]);
  const edge = timeOf(await deployment.call('GET', '/v2/', { as: 'nobody' }));
  const { iat = 0 } = tokenIn(answer).claims;
  const off = [timeOf(answer), edge].map((time) => Math.abs(Math.round(time / 1000 - iat)));
  return Math.max(...off);
}

function timeOf({ headers }: Answer): number {
  const time = Date.parse(headers.date ?? '');
  if (!Number.isNaN(time)) return time;
  throw failed('an answer has no Date header', {
    affects: EVERY_FAMILY,
    means: 'whether tokens are judged by the right time is not known',
    cure: 'see what stands between the registry and here, and drops the header',
  });
}
