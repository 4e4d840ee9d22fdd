import { randomBytes } from 'node:crypto';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { ENV, FRONT_HEADERS, FRONT_STORE_KEY, ORIGINS } from '../../functions/environment.ts';
import { denyOverwrites, letFrontDoorIn, type PolicyStatement } from '../../lib/blob-policy.ts';
import { freePort } from '../free-port.ts';
import { RegistryProcess } from '../registry-process.ts';
import { deployFront, type FrontParts, KEYS_OBJECT, lambdaContext } from './deployment.ts';
import { keptFirstAdmin, makeFirstAdmin } from './first-admin.ts';
import { startControl } from './front/control.ts';
import { Counters } from './front/counters.ts';
import { S3Events } from './front/events.ts';
import { Faults } from './front/faults.ts';
import { gatewayTrouble } from './front/misbehaviour.ts';
import { openDoor } from './front/open-door.ts';
import type { Origin } from './front/origins.ts';
import { loadEdgeFunctions } from './front/runtime.ts';
import { startFront } from './front/server.ts';
import { withoutTls } from './front/without-tls.ts';
import { startGateway } from './gateway/gateway.ts';
import type { ObjectCreated } from './s3/server.ts';
import { type AwsStores, BUCKET_ARN, type StoresOptions, startAwsStores } from './stores.ts';

/** What functions/api.ts exports. */
type ApiHandler = Parameters<typeof startGateway>[0]['handler'];

export interface AwsPathOptions extends Pick<StoresOptions, 'latencyMs' | 'transactionMs'> {
  /** @default - any free one */
  readonly port?: number;
  /** Where the data stays. @default - a directory that goes with it */
  readonly data?: string | undefined;
  /** @default none */
  readonly streamHost?: 'none' | 'instance';
  /** @default s3 */
  readonly downloads?: 's3' | 'cdn';
  /** As the stack's option. @default answered */
  readonly heads?: 'answered' | 'redirected';
  /** What the gateway does with the Content-Length of HEAD. @default kept */
  readonly contentLengthOnHead?: 'kept' | 'recomputed';
  /** How long events of S3 are on their way. @default 500 */
  readonly eventDelayMs?: number;
}

/** The whole of a deployment on this machine. */
export interface AwsPath {
  /** Where clients go. */
  readonly url: string;
  readonly controlUrl: string;
  readonly admin: { readonly username: string; readonly password: string };
  readonly stores: AwsStores;
  readonly counters: Counters;
  readonly faults: Faults;
  /** Absent where there is none. */
  readonly streamHost?: RegistryProcess;
  /** Where the API is without its front door. */
  readonly gatewayUrl: string;
  /** What a distribution is made of, to start others beside the one at `url`. */
  readonly parts: FrontParts;
  readonly origins: Readonly<Record<string, Origin>>;
  /** Has another function answer at the gateway. */
  deployApi(api: ApiHandler): void;
  stop(): Promise<void>;
}

/** CloudFront's own, at S3. */
const OAC = { accessKeyId: 'AKIAORIGINACCESS', secretAccessKey: 'cloudfront alone', region: 'us-east-1' };

const DISTRIBUTION_ARN = 'arn:aws:cloudfront::111122223333:distribution/E1STOWAGE';

/** As in lib/front-door.ts. */
const API_ANSWER_MS = 35_000;
const ANSWER_MS = 120_000;

/** Starts it, once in a process: its functions read the environment when they are loaded. `undefined` where there is no
 *  DynamoDB server for this platform. */
export async function startAwsPath(options: AwsPathOptions = {}): Promise<AwsPath | undefined> {
  const { streamHost: host = 'none', downloads = 's3' } = options;
  const state: State = { faults: new Faults(), counters: new Counters(), tell: () => undefined };
  const { faults, counters } = state;
  const stores = await openStores(options, state);
  if (!stores) return undefined;
  const port = options.port ?? (await freePort());
  const url = process.env[ENV.publicUrl] || `http://127.0.0.1:${port}`; // the real front door speaks HTTPS only
  process.env[ENV.publicUrl] = url;
  const parts = await deployFront(stores, downloads);
  const { data } = options;
  const admin = await (data ? keptFirstAdmin(stores.environment, data) : makeFirstAdmin(stores.environment));
  if (options.heads) process.env[ENV.heads] = options.heads;
  const { api, events } = await loadFunctions(stores, options, state);
  let deployedApi: ApiHandler = api;
  const gateway = await startGateway({
    contentLengthOnHead: options.contentLengthOnHead ?? 'kept',
    trouble: (incoming) => gatewayTrouble(faults, incoming),
    handler: (event, context) =>
      deployedApi(faults.has('origin-open') ? admitted(event, parts.secret) : event, context),
  });
  const streamHost = host === 'instance' ? await startStreamHost() : undefined;
  const origins = originsOf(stores, parts, { api: gateway.url, streamPort: streamHost?.port });
  const deployed = await loadEdgeFunctions({
    kvs: async () => frontValue(parts, faults),
    settings: { streamHost: host === 'instance' },
    origins: Object.keys(origins),
    now: () => Date.now() + (faults.number('clock-skewed') ?? 0),
  });
  const isOpen = process.env[ENV.open] === '1';
  const ring = () => stores.ssm.parameters.get(process.env[ENV.signingKeys] ?? '');
  const edge = withoutTls(isOpen ? openDoor(deployed, ring) : deployed, url);
  const front = await startFront({ port, edge, origins, counters, faults, downloads: parts.downloads });
  const { conflicts } = stores;
  const control = await startControl({ counters, faults, origins, conflicts });
  return {
    url,
    controlUrl: control.url,
    admin,
    stores,
    counters,
    faults,
    gatewayUrl: gateway.url,
    parts,
    origins,
    deployApi(next) {
      deployedApi = next;
    },
    ...(streamHost && { streamHost }),
    async stop() {
      await control.close();
      await front.close();
      await streamHost?.stop('SIGTERM');
      await gateway.close();
      await events.close();
      await parts.kvs.close();
      await stores.stop();
    },
  };
}

interface State {
  readonly faults: Faults;
  readonly counters: Counters;
  /** Of an object in S3, who has to know. */
  tell: (created: ObjectCreated) => void;
}

function openStores({ data, latencyMs, transactionMs }: AwsPathOptions, state: State) {
  const { faults } = state;
  const s3: StoresOptions['s3'] = {
    guests: [{ credentials: OAC, service: 'cloudfront.amazonaws.com', sourceArn: DISTRIBUTION_ARN }],
    policy: () => bucketPolicy(faults),
    onObjectCreated: (created) => state.tell(created),
    before: async ({ presigned }) =>
      presigned && faults.has('redirect-without-range') ? { ignoreRange: true } : undefined,
  };
  return startAwsStores(data, { latencyMs, transactionMs, s3 });
}

/** As they are deployed; each reads the environment when it is loaded. */
async function loadFunctions(
  { environment }: AwsStores,
  { eventDelayMs = 500 }: AwsPathOptions,
  state: State,
) {
  const { handler: api } = await import('../../functions/api.ts');
  const { handler: commitUploads } = await import('../../functions/commit-uploads.ts');
  const events = new S3Events({
    bucket: environment[ENV.bucket] ?? '',
    region: OAC.region,
    faults: state.faults,
    delayMs: eventDelayMs,
    handler: (event) => commitUploads(event as never, lambdaContext() as never),
  });
  state.tell = (created) => events.tell(created);
  return { api, events };
}

interface Places {
  readonly api: string;
  readonly streamPort: number | undefined;
}

/** As in lib/front-door.ts. */
function originsOf({ environment, s3 }: AwsStores, { secret }: FrontParts, { api, streamPort }: Places) {
  const customHeaders = { [FRONT_HEADERS.secret]: secret };
  const stream = { url: `http://127.0.0.1:${streamPort}`, customHeaders, answerMs: ANSWER_MS };
  const origins: Record<string, Origin> = {
    [ORIGINS.api]: { url: api, customHeaders, answerMs: API_ANSWER_MS },
    [ORIGINS.blobs]: {
      url: s3.url,
      path: `/${environment[ENV.bucket]}`,
      access: OAC,
      answerMs: ANSWER_MS,
    },
    ...(streamPort !== undefined && { [ORIGINS.stream]: stream }),
  };
  return origins;
}

/** It reaches DynamoDB and S3 only, so its copy of the signing keys is in S3. */
function startStreamHost(): Promise<RegistryProcess> {
  return RegistryProcess.start('', {
    STOWAGE_STORE: 'aws',
    [ENV.signingKeys]: '',
    [ENV.keysObject]: KEYS_OBJECT,
  });
}

/** The stack's own, but for what a fault takes out of it. */
function bucketPolicy(faults: Faults): readonly PolicyStatement[] {
  const statements = [denyOverwrites(BUCKET_ARN), ...letFrontDoorIn(BUCKET_ARN, DISTRIBUTION_ARN)];
  return faults.has('no-if-none-match') ? statements.filter(({ Effect }) => Effect === 'Allow') : statements;
}

/** What the functions find in their store; other keys than the registry's where rotation has not reached it. */
async function frontValue({ kvs }: FrontParts, faults: Faults): Promise<string | undefined> {
  const text = kvs.values.get(FRONT_STORE_KEY);
  if (text === undefined || !(faults.has('tokens-not-rotated') || faults.has('edge-keys-stale'))) return text;
  const key = { id: randomBytes(8).toString('hex'), secret: randomBytes(32).toString('base64url') };
  return JSON.stringify({ ...JSON.parse(text), keys: [key] });
}

const admitted = (event: APIGatewayProxyEventV2, secret: string): APIGatewayProxyEventV2 => ({
  ...event,
  headers: { ...event.headers, [FRONT_HEADERS.secret]: secret },
});
