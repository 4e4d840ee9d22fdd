import { type Agent, type IncomingHttpHeaders, request } from 'node:http';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { expect, onTestFinished } from 'vitest';
import { scratch } from '../../scratch.ts';
import { type S3Server, type S3ServerOptions, startS3Server } from './server.ts';

export const BUCKET = 'stowage-test';
const REGION = 'eu-central-1';
export const CREDENTIALS = { accessKeyId: 'AKIDTEST', secretAccessKey: 'secret/with+signs' };

export interface Fixture {
  readonly server: S3Server;
  readonly s3: S3Client;
}

/** A server of its own for a test, and a client with the SDK's defaults. */
export async function openFixture(options: Partial<S3ServerOptions> = {}): Promise<Fixture> {
  const directory = await scratch();
  const server = await startS3Server({
    directory,
    credentials: CREDENTIALS,
    region: REGION,
    bucket: BUCKET,
    ...options,
  });
  onTestFinished(() => server.close());
  return { server, s3: clientOf(server) };
}

export function clientOf(server: S3Server, config: S3ClientConfig = {}): S3Client {
  const client = new S3Client({
    endpoint: server.url,
    region: REGION,
    credentials: CREDENTIALS,
    forcePathStyle: true,
    ...config,
  });
  onTestFinished(() => client.destroy());
  return client;
}

/** One of the parameters of every request. */
export const at = (key: string) => ({ Bucket: BUCKET, Key: key });

/** The name and status of the error that a request ends in. */
export async function refusal(answer: Promise<unknown>): Promise<string> {
  const error = await answer.then(
    () => expect.fail('it was not refused'),
    (reason: unknown) => reason as { name: string; $metadata?: { httpStatusCode?: number } },
  );
  return `${error.$metadata?.httpStatusCode} ${error.name}`;
}

/** Sends a request that is signed in its headers by the SDK's signer; `later` replaces what it has signed. */
export async function sendSigned(
  { s3, server }: Fixture,
  key: string,
  given: RawRequest,
  later: RawRequest = {},
): Promise<Answer & { signed: Record<string, string> }> {
  const { hostname, port, host } = new URL(server.url);
  const scheme = { schemeId: 'aws.auth#sigv4', signingName: 's3', signingRegion: REGION };
  const signer = await s3.config.signer({
    name: 'sigv4',
    signingName: 's3',
    signingRegion: REGION,
    properties: scheme,
  });
  const path = `/${BUCKET}/${key}`;
  const headers = { host, ...given.headers };
  const request = {
    method: given.method ?? 'GET',
    protocol: 'http:',
    hostname,
    port: Number(port),
    path,
    headers,
  };
  const { headers: signed } = await signer.sign({ ...request, query: {}, body: given.body });
  const { headers: more, ...rest } = later;
  return {
    ...(await send(`${server.url}${path}`, { ...given, headers: { ...signed, ...more }, ...rest })),
    signed,
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Of an error. */
  readonly code: string | undefined;
}

export interface RawRequest {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array;
  readonly agent?: Agent;
}

/** A request as it is given, without what `fetch` adds to it. */
export function send(
  url: string,
  { method = 'GET', headers = {}, body, agent }: RawRequest = {},
): Promise<Answer> {
  const length =
    body === undefined || headers['transfer-encoding'] ? {} : { 'content-length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers: { ...length, ...headers }, ...(agent && { agent }) });
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const bytes = Buffer.concat(chunks);
        const code = /<Code>(\w+)</.exec(bytes.toString())?.[1];
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: bytes, code });
      });
    });
    outgoing.end(body);
  });
}
