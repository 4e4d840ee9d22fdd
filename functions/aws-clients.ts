import { setTimeout } from 'node:timers/promises';
import type { CloudFrontKeyValueStoreClient } from '@aws-sdk/client-cloudfront-keyvaluestore';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { S3Client } from '@aws-sdk/client-s3';
import type { SSMClient } from '@aws-sdk/client-ssm';
import { fullJitter } from './storage/pause.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export type AwsClient = S3Client | DynamoDBClient | SSMClient | CloudFrontKeyValueStoreClient;

export interface ClientOptions {
  /** Called with each client when it is made, before its first call. */
  readonly onClient?: (client: AwsClient) => void;
}

/** A connection that hangs must not take the request of a client with it: AWS answers in milliseconds, or not. S3 may
 *  take a while for a large part, but not without a sign of life. */
export const TIMEOUTS = { connectionTimeout: 2000, socketTimeout: 20_000 };

const PROXY_VARIABLES = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY'].flatMap((name) => [
  name,
  name.toLowerCase(),
]);

/** How a client reaches AWS: within these times, and by the proxy that the environment names, if any. */
export function connections(environment: Environment, timeouts: typeof TIMEOUTS) {
  const proxyEnv = Object.fromEntries(
    PROXY_VARIABLES.flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])),
  );
  if (Object.keys(proxyEnv).length === 0) return timeouts;
  return { ...timeouts, httpAgent: { proxyEnv }, httpsAgent: { proxyEnv } };
}

export const pause = fullJitter(Math.random, setTimeout);

/** Counts what the clients that it is handed send to AWS. */
export class Calls {
  readonly #onClient: ((client: AwsClient) => void) | undefined;
  #made = 0;

  constructor({ onClient }: ClientOptions) {
    this.#onClient = onClient;
  }

  /** Repetitions included. */
  get made(): number {
    return this.#made;
  }

  /** Counts behind the retries, so that what AWS was asked is what is counted. */
  of<C extends AwsClient>(client: C): C {
    const { handle } = client.config.requestHandler;
    const onCall = () => {
      this.#made += 1;
    };
    client.config.requestHandler.handle = function counted(...args: Parameters<typeof handle>) {
      onCall();
      return handle.apply(this, args);
    };
    this.#onClient?.(client);
    return client;
  }
}

export function required(environment: Environment, name: string): string {
  const value = environment[name];
  if (!value) throw new Error(`the environment variable ${name} is not set`);
  return value;
}
