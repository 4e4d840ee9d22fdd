import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { createApp } from '../../functions/app.ts';
import { AccessTokens } from '../../functions/auth/access-token.ts';
import type { KeySource } from '../../functions/auth/signing-keys.ts';
import { SERVICE } from '../../functions/auth/token-claims.ts';
import { createAwsRegistry } from '../../functions/aws.ts';
import { NO_CREDENTIAL } from '../../functions/identity/identity.ts';
import { ANONYMOUS } from '../../functions/identity/principal.ts';
import { MAX_ANSWERED_BLOB_BYTES } from '../../functions/limits.ts';
import type { Registry } from '../../functions/registry/registry.ts';
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
  const { registry, keys } = createAwsRegistry(process.env);
  await pushImage(createApp({ registry }), REPOSITORY, image);
  if (!keys) throw new Error('there are no signing keys');
  const token = await tokenFor(registry, keys);
  const [layer = Buffer.of()] = image.layers;
  const check = { event: get('/v2/', token), status: 200 };
  const pull = { event: get(`/v2/${REPOSITORY}/manifests/${image.tag}`, token), status: 200 };
  const redirect = { event: get(`/v2/${REPOSITORY}/blobs/${sha256(layer)}`, token), status: 307 };
  return [
    { title: 'Node.js alone', entry: `${HANDLERS}/nothing.mjs`, ...check, baseline: true },
    { title: 'SDK for DynamoDB: GetItem', entry: `${HANDLERS}/dynamodb.mjs`, ...check, baseline: true },
    {
      title: 'SDK for DynamoDB and SSM: GetParameter, GetItem',
      entry: `${HANDLERS}/pull.mjs`,
      ...check,
      baseline: true,
    },
    {
      title: 'SDK for DynamoDB, SSM and S3: the same, and a signed URL',
      entry: `${HANDLERS}/redirect.mjs`,
      ...check,
      baseline: true,
    },
    { title: 'Stowage: `GET /v2/`', entry: API, ...check },
    { title: 'Stowage: `GET` manifest by tag', entry: API, ...pull },
    { title: 'Stowage: `GET` blob, redirected to S3', entry: API, ...redirect },
  ];
}

/** As a client has got it before from another container. */
async function tokenFor(registry: Registry, keys: KeySource): Promise<string> {
  const { now, newId } = registry;
  const access = [{ type: 'repository', name: REPOSITORY, actions: ['pull'] }] as const;
  const tokens = new AccessTokens({ keys, service: SERVICE, now, newId });
  return (await tokens.issue({ principal: ANONYMOUS, credential: NO_CREDENTIAL, access })).text;
}

/** What an HTTP API makes of a client's request, in payload format 2.0. */
function get(rawPath: string, token: string): APIGatewayProxyEventV2 {
  const userAgent = 'containerd/2.1';
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath,
    rawQueryString: '',
    headers: {
      host: 'registry.test',
      'user-agent': userAgent,
      accept: '*/*',
      authorization: `Bearer ${token}`,
    },
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
