import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { APIGatewayProxyEventV2, APIGatewayProxyResultV2 } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ENV } from '../../functions/environment.ts';
import { scratch } from '../scratch.ts';
import { runWireTable } from '../wire/run.ts';
import { lambdaContext } from './deployment.ts';
import { type Gateway, startGateway } from './gateway/gateway.ts';
import { hasLambdaRuntime, type LambdaRuntime, startLambdaRuntime } from './lambda-runtime.ts';
import { type AwsStores, startAwsStores } from './stores.ts';

// Lambda's client, which calls the handler there, and its emulator are of AWS, and not ours. The bundle that is deployed has to
// answer in them as the handler does that all other tests call.

const isThere = await hasLambdaRuntime();
const isWanted = process.env['STOWAGE_REQUIRE_CLIENTS'] === 'all';
const missing = isThere ? '' : ', which are not in scratch/lambda-runtime,';

interface Result {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

describe.skipIf(!isThere && !isWanted)(`the runtime client and emulator of Lambda${missing}`, () => {
  describe('around the bundle of the API', () => {
    let stores: AwsStores | undefined;
    let runtime: LambdaRuntime | undefined;
    let gateway: Gateway | undefined;
    const seen: APIGatewayProxyEventV2[] = [];

    beforeAll(async () => {
      stores = await startAwsStores();
      if (!stores) throw new Error('no DynamoDB server is installed');
      const environment = { ...stores.environment, [ENV.open]: '1' };
      for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
      vi.spyOn(process.stdout, 'write').mockReturnValue(true); // the log of the handler
      const started = await startLambdaRuntime('functions/api.ts', environment);
      runtime = started;
      gateway = await startGateway({
        handler: async (event) => {
          seen.push(event);
          return (await started.invoke(event)) as APIGatewayProxyResultV2;
        },
      });
    }, 60_000);
    afterAll(async () => {
      vi.restoreAllMocks();
      vi.unstubAllEnvs();
      await gateway?.close();
      await runtime?.stop();
      await stores?.stop();
    });

    runWireTable({ fetch: async (path, init) => await fetch(new URL(path, gateway?.url), init) });

    it('answers each of these reads as the handler does', { timeout: 60_000 }, async () => {
      const { handler } = await import('../../functions/api.ts');
      const reads = seen.filter(({ requestContext: { http } }) => ['GET', 'HEAD'].includes(http.method));
      expect(reads.length).toBeGreaterThan(50);
      for (const event of reads) {
        const expected = await handler(event, lambdaContext() as never);
        const { http } = event.requestContext;
        expect(same(await runtime?.invoke(event)), `${http.method} ${event.rawPath}`).toEqual(same(expected));
      }
    });

    it.each(['expire', 'sweep', 'rotate-keys'])('so runs the bundle of %s', async (name) => {
      const job = await startLambdaRuntime(`functions/${name}.ts`, stores?.environment ?? {});
      onTestFinished(() => job.stop());
      expect(await job.invoke({})).not.toHaveProperty('errorType');
    });
  });

  it.each([
    ['a handler that calls back', '(event, context, callback) => callback(null, {})', /CallbackHandler/],
    ['a handler that throws', 'async () => { throw new TypeError("planted"); }', /TypeError/],
  ])('finds %s', { timeout: 60_000 }, async (_, planted, errorType) => {
    const entry = join(await scratch(), 'planted.mjs');
    await writeFile(entry, `export const handler = ${planted};`);
    const runtime = await startLambdaRuntime(entry, {});
    onTestFinished(() => runtime.stop());
    expect(await runtime.invoke({})).toMatchObject({ errorType: expect.stringMatching(errorType) });
  });
});

/** As JSON. Of what is new in each answer, only that it is there: when a redirect was signed, what parts are kept apart by. */
function same(result: unknown): Result {
  const { body = '', ...rest } = JSON.parse(JSON.stringify(result)) as Result;
  const { location = '', 'content-type': type = '' } = rest.headers;
  const [, boundary = 'none'] = /boundary=(.*)$/.exec(type) ?? [];
  return {
    ...rest,
    headers: {
      ...rest.headers,
      location: location.replaceAll(/(X-Amz-(Date|Signature)=)[^&]*/g, '$1'),
      'content-type': type.replace(boundary, ''),
    },
    body: Buffer.from(body, 'base64').toString('latin1').replaceAll(boundary, ''),
  };
}
