import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { createApp } from '../../functions/app.ts';
import { createAwsRegistry } from '../../functions/aws.ts';
import { MAX_ANSWERED_BLOB_BYTES } from '../../functions/limits.ts';
import { newImage, pushImage, sha256 } from '../../test/aws/client.ts';

/** What a new process is to run, and to be asked first. */
export interface Subject {
  readonly title: string;
  /** From the root of the project; exports `handler`. */
  readonly entry: string;
  readonly event: APIGatewayProxyEventV2;
  readonly status: number;
  /** Whether ours are compared with it. @default false - it is one of ours */
  readonly baseline?: boolean;
}

export const API = 'functions/api.ts';

const HANDLERS = 'bench/cold-start/handlers';
const REPOSITORY = 'team/image';

/** Baselines first. Pushes an image to the stores that the environment of this process names. */
export async function subjects(): Promise<readonly Subject[]> {
  const image = newImage(1, MAX_ANSWERED_BLOB_BYTES + 1);
  await pushImage(createApp(createAwsRegistry(process.env)), REPOSITORY, image);
  const [layer = Buffer.of()] = image.layers;
  const check = { event: get('/v2/'), status: 200 };
  const pull = { event: get(`/v2/${REPOSITORY}/manifests/${image.tag}`), status: 200 };
  const redirect = { event: get(`/v2/${REPOSITORY}/blobs/${sha256(layer)}`), status: 307 };
  return [
    { title: 'Node.js alone', entry: `${HANDLERS}/nothing.mjs`, ...check, baseline: true },
    { title: 'SDK for DynamoDB: GetItem', entry: `${HANDLERS}/dynamodb.mjs`, ...check, baseline: true },
    {
      title: 'SDK for DynamoDB and S3: GetItem',
      entry: `${HANDLERS}/dynamodb-and-s3.mjs`,
      ...check,
      baseline: true,
    },
    { title: 'Stowage: `GET /v2/`', entry: API, ...check },
    { title: 'Stowage: `GET` manifest by tag', entry: API, ...pull },
    { title: 'Stowage: `GET` blob, redirected to S3', entry: API, ...redirect },
  ];
}

/** What an HTTP API makes of a client's request, in payload format 2.0. */
function get(rawPath: string): APIGatewayProxyEventV2 {
  const userAgent = 'containerd/2.1';
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath,
    rawQueryString: '',
    headers: { host: 'registry.test', 'user-agent': userAgent, accept: '*/*' },
    requestContext: {
      accountId: '123456789012',
      apiId: 'abcdefghij',
      domainName: 'registry.test',
      domainPrefix: 'registry',
      http: { method: 'GET', path: rawPath, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent },
      requestId: 'cold-start',
      routeKey: '$default',
      stage: '$default',
      time: '01/Jan/2026:00:00:00 +0000',
      timeEpoch: 1_767_225_600_000,
    },
    isBase64Encoded: false,
  };
}
