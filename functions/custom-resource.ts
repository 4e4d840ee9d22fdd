import { setTimeout } from 'node:timers/promises';

/** What CloudFormation asks of whoever makes a resource that it cannot make.
 *  https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html */
export interface ResourceRequest {
  readonly RequestType: 'Create' | 'Update' | 'Delete';
  /** Signed by S3; whoever has it answers for the resource. */
  readonly ResponseURL: string;
  readonly StackId: string;
  readonly RequestId: string;
  readonly LogicalResourceId: string;
  /** Absent for what is still to be made. */
  readonly PhysicalResourceId?: string;
  readonly ResourceProperties: Readonly<Record<string, unknown>>;
}

/** What has become of a resource. A reason is for everybody who may see the stack's events. */
export type ResourceAnswer =
  | { readonly is: 'done'; readonly attributes?: Readonly<Record<string, string>> }
  | { readonly is: 'failed'; readonly reason: string };

const MAX_ATTEMPTS = 3;
const ATTEMPT_MS = 4000;
const PAUSE_MS = 1000;

/** As long as `answerRequest` takes, at most. */
export const ANSWER_MS = MAX_ATTEMPTS * (ATTEMPT_MS + PAUSE_MS);

/** Tells CloudFormation, which otherwise waits for an hour. Attributes are kept out of its consoles and answers. */
export async function answerRequest(
  request: ResourceRequest,
  id: string,
  answer: ResourceAnswer,
): Promise<void> {
  const { StackId, RequestId, LogicalResourceId, ResponseURL } = request;
  const about = { StackId, RequestId, LogicalResourceId, PhysicalResourceId: id };
  const outcome =
    answer.is === 'done'
      ? { Status: 'SUCCESS', NoEcho: true, Data: answer.attributes ?? {} }
      : { Status: 'FAILED', Reason: answer.reason };
  const body = Buffer.from(JSON.stringify({ ...outcome, ...about }));
  for (let attempt = 1; ; attempt += 1) {
    try {
      await put(ResponseURL, body);
      return;
    } catch (error) {
      if (attempt === MAX_ATTEMPTS) throw new Error('CloudFormation could not be answered', { cause: error });
    }
    await setTimeout(PAUSE_MS);
  }
}

/** Without a type, which the URL's signature does not allow. */
async function put(url: string, body: Uint8Array<ArrayBuffer>): Promise<void> {
  const signal = AbortSignal.timeout(ATTEMPT_MS);
  const response = await fetch(url, { method: 'PUT', headers: { 'Content-Type': '' }, body, signal });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`S3 answered ${response.status}`);
}
