import { afterAll, expect, it, onTestFinished } from 'vitest';
import { ENV, FRONT_HEADERS } from '../../functions/environment.ts';
import { secretHash } from '../../functions/front-door.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';
import { startAwsStores } from './stores.ts';

const stores = await startAwsStores();
if (!stores && process.env['STOWAGE_REQUIRE_CLIENTS']) throw new Error('no DynamoDB server is installed');
if (!stores) console.warn('skipped: the stream host; no DynamoDB server is installed');
afterAll(() => stores?.stop());

const SECRET = 'only the front door knows this';

it.runIf(stores)(
  'the Node host behind a front door lets in what comes from there, and a watchdog',
  async () => {
    const registry = await RegistryProcess.start(await scratch(), {
      ...stores?.environment,
      STOWAGE_STORE: 'aws',
      STOWAGE_HOST: '0.0.0.0', // without TLS, which ends at CloudFront
      [ENV.frontSecretHash]: secretHash(SECRET),
    });
    onTestFinished(() => registry.stop('SIGKILL'));
    const get = (path: string, headers: Record<string, string> = {}) =>
      fetch(`http://127.0.0.1:${registry.port}${path}`, { headers });
    expect((await get('/')).status).toBe(200);
    const refused = await get('/v2/', { [FRONT_HEADERS.secret]: 'another' });
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({ errors: [{ code: 'DENIED' }] });
    const admitted = await get('/v2/', {
      [FRONT_HEADERS.secret]: SECRET,
      [FRONT_HEADERS.host]: 'registry.test',
    });
    expect(admitted.status).toBe(401);
    expect(admitted.headers.get('www-authenticate')).toContain('realm="https://registry.test/token"');
  },
);
