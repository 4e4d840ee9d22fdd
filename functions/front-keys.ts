import middy, { type MiddlewareObj } from '@middy/core';
import { downloadKeyIn } from './auth/download-key.ts';
import { frontSecretsFor } from './auth/front-secrets.ts';
import { Calls } from './aws-clients.ts';
import { ssmSecret } from './aws-keys.ts';
import { UntilAllowed } from './aws-permissions.ts';
import { ANSWER_MS, answerRequest, type ResourceRequest } from './custom-resource.ts';
import { secretHash } from './front-door.ts';
import { jobTelemetry } from './telemetry/job.ts';
import { JOB_RESULTS, JOBS } from './telemetry/names.ts';

/** Kept back from Lambda's timeout, to tell CloudFormation that it has failed, and the log. */
const TIMEOUT_RESERVE_MS = ANSWER_MS + 1000;

const calls = new Calls({});

/** A failure is told to CloudFormation, and stays one: Lambda then tries again, for an answer that did not arrive. */
const answering: MiddlewareObj<ResourceRequest, number> = {
  async onError(run) {
    const reason = `${run.error?.name ?? 'Error'}: the log of this function says more`;
    await answerRequest(run.event, idOf(run.event), { is: 'failed', reason }).catch((error: unknown) => {
      run.error = new Error(`${error}`, { cause: run.error });
    });
  },
};

/** The custom resource of the front door's secret and of its downloads' key pair: makes in SSM what is not there, answers
 *  the attributes `Secret`, `Accepted` (hashes of it and of the one before, with a comma between) and `PublicKey` (PEM), and returns
 *  how many it made. Another `Rotation` is another secret. Deletes nothing: a stack that is deployed again, or whose
 *  resource gets another name, goes on with what there is. */
export const handler = middy<ResourceRequest, number>({ timeoutEarlyInMillis: TIMEOUT_RESERVE_MS })
  .use(jobTelemetry({ job: JOBS.frontKeys, result: JOB_RESULTS.frontKeys, callsMade: () => calls.made }))
  .use(answering)
  .handler(async (request, _, { signal }) => {
    const made =
      request.RequestType === 'Delete' ? { attributes: {}, count: 0 } : await make(request, signal);
    signal.throwIfAborted(); // CloudFormation has been told that it failed
    await answerRequest(request, idOf(request), { is: 'done', attributes: made.attributes });
    return made.count;
  });

async function make({ ResourceProperties: properties }: ResourceRequest, signal: AbortSignal) {
  const secretIn = (name: string) => ssmSecret({ environment: process.env, name, calls });
  const secret = secretIn(textOf(properties, 'SecretParameter'));
  const downloadKey = secretIn(textOf(properties, 'DownloadKeyParameter'));
  const rotation = `${properties['Rotation'] ?? ''}`;
  const allowed = new UntilAllowed(signal);
  const front = await allowed.call(() => frontSecretsFor(secret, rotation, signal));
  const download = await allowed.call(() => downloadKeyIn(downloadKey, signal));
  return {
    attributes: {
      Secret: front.secret,
      Accepted: front.accepted.map(secretHash).join(','),
      PublicKey: download.publicKey,
    },
    count: Number(front.isNew) + Number(download.isNew),
  };
}

/** One for the resource's whole life: with another, CloudFormation would take it for replaced. */
const idOf = ({ PhysicalResourceId, ResourceProperties, LogicalResourceId }: ResourceRequest) =>
  PhysicalResourceId ?? `${ResourceProperties['SecretParameter'] ?? LogicalResourceId}`;

function textOf(properties: Readonly<Record<string, unknown>>, name: string): string {
  const value = properties[name];
  if (typeof value !== 'string' || value === '') throw new Error(`the property ${name} is missing`);
  return value;
}
