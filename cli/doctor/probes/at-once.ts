import type { Deployment } from '../deployment.ts';
import { EVERY_FAMILY } from '../families.ts';
import { failed, ok } from '../finding.ts';
import type { Probe } from '../probe.ts';
import { describe } from '../tokens.ts';

/** As many as a few docker clients send, and more executions than a new account of AWS may have of Lambda. */
const REQUESTS = 40;

export const atOnce: Probe = {
  name: 'at-once',
  title: `${REQUESTS} requests at once`,
  needs: 'nothing',
  async run(deployment) {
    const answers = await Promise.all(Array.from({ length: REQUESTS }, () => asked(deployment)));
    const refusals = answers.filter((answer) => answer !== undefined);
    if (refusals.length === 0) return ok(`${REQUESTS} requests at once are all answered by the registry`);
    const words = [...new Set(refusals)].join(', ');
    throw failed(`${refusals.length} of ${REQUESTS} requests at once are answered ${words}`, {
      affects: EVERY_FAMILY,
      means: 'pushes and pulls fail by chance: not every client repeats what a gateway refuses',
      cure: 'raise the quota of concurrent executions of Lambda (new accounts have 10), or requestsPerSecond in lib/registry-api.ts',
    });
  },
};

/** The answer, where it is none of the registry's. */
async function asked(deployment: Deployment): Promise<string | undefined> {
  const answer = await deployment.call('GET', '/healthz', { as: 'nobody' });
  return answer.status === 200 ? undefined : describe(answer);
}
