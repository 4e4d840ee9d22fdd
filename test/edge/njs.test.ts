import { execFileSync, spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ORIGINS } from '../../functions/environment.ts';
import { type EdgeEvent, edgeCode } from '../../lib/edge-code.ts';
import { shown } from '../aws/front/edge-headers.ts';
import { loadEdgeFunctions } from '../aws/front/runtime.ts';
import { scratch } from '../scratch.ts';
import { bearer, RING, uploadToken, VIEWER } from './door.ts';
import { answered, requests } from './generated.ts';

// njs is of nginx, and not ours: an old grammar beside CloudFront's. What is deployed has to say the same in it as in the
// emulation that all other tests of the edge use.

const isThere = spawnSync('njs', ['-v']).status === 0;
const isWanted = process.env['STOWAGE_REQUIRE_CLIENTS'] === 'all';
const RUNS = 2000;
const SEED = 20261130;
/** Milliseconds; each event has a world of its own in the emulation. */
const PATIENCE = { timeout: 300_000 };

/** What stands for CloudFront's module; `state` is what a run has chosen, and the keys. */
const CLOUDFRONT = `import state from 'state';
export default {
  kvs: function () { return { get: async function () { return JSON.parse(state.front); } }; },
  selectRequestOriginById: function (id) { state.origin = id; },
};`;

const RUNNER = `
async function all() {
  const given = JSON.parse(fs.readFileSync('given.json', 'utf8'));
  const answers = [];
  for (let at = 0; at < given.events.length; at += 1) {
    state.front = given.front;
    state.origin = given.origin;
    try {
      const result = await handler(given.events[at]);
      answers.push({ origin: state.origin, result: result });
    } catch (error) {
      answers.push({ error: String(error) });
    }
  }
  fs.writeFileSync('answers.json', JSON.stringify(answers));
}
all();`;

interface Answer {
  readonly origin?: string;
  readonly result?: unknown;
  readonly error?: string;
}

/** What the code answers in njs to each of the events. */
async function inNjs(code: string, events: readonly object[], front: string): Promise<readonly Answer[]> {
  const directory = await scratch();
  const write = (name: string, text: string) => writeFile(join(directory, name), text);
  await write('state', 'export default {};');
  await write('cloudfront', CLOUDFRONT);
  await write('given.json', JSON.stringify({ events, front, origin: ORIGINS.api }));
  await write('main.js', `import fs from 'fs';\nimport state from 'state';\n${code}${RUNNER}`);
  execFileSync('njs', ['-p', directory, 'main.js'], { cwd: directory, stdio: 'pipe' });
  return JSON.parse(await readFile(join(directory, 'answers.json'), 'utf8')) as readonly Answer[];
}

const eventOf = (content: object) => ({ version: '1.0', context: {}, ...content });
const now = Date.now();

function frontOf(): string {
  const keys = RING.map(({ id, secret }) => ({ id, secret: Buffer.from(secret).toString('base64url') }));
  return JSON.stringify({ keys });
}

const doorOf = (front: string, streamHost: boolean) =>
  loadEdgeFunctions({
    kvs: async () => front,
    settings: { streamHost },
    origins: Object.values(ORIGINS),
    now: () => now,
  });

describe.skipIf(!isThere && !isWanted)(
  `the functions in njs${isThere ? '' : ', which is not installed'}`,
  () => {
    it.each([false, true])(
      'choose and refuse as in the emulation (stream host: %s)',
      PATIENCE,
      async (stream) => {
        const front = frontOf();
        const door = await doorOf(front, stream);
        const all = requests(await uploadToken({ now }), await bearer({ now }));
        const sent = fc.sample(all, { numRuns: RUNS, seed: SEED });
        const events = sent.map((request) =>
          eventOf({ viewer: VIEWER, request: { ...request, headers: shown(request.headers) } }),
        );
        const expected: Answer[] = [];
        for (const request of sent) {
          const outcome = await door.viewerRequest(structuredClone(request), VIEWER);
          const isPassed = outcome.is === 'request';
          expected.push({
            origin: isPassed ? outcome.origin : ORIGINS.api,
            result: isPassed ? outcome.request : outcome.response,
          });
        }
        expect(new Set(expected.map(({ origin }) => origin)).size).toBe(stream ? 3 : 2);
        expect(await inNjs(edgeCode('viewer-request', { streamHost: stream }), events, front)).toEqual(
          expected,
        );
      },
    );

    it('give answers the same form as in the emulation', PATIENCE, async () => {
      const door = await doorOf(frontOf(), false);
      const sampled = fc.sample(answered, { numRuns: RUNS, seed: SEED });
      const pairs = sampled.map(({ request, uri, response }) => ({ request: { ...request, uri }, response }));
      const expected: Answer[] = [];
      for (const { request, response } of pairs)
        expected.push({
          origin: ORIGINS.api,
          result: await door.viewerResponse(structuredClone(request), structuredClone(response)),
        });
      expect(await inNjs(edgeCode('viewer-response'), pairs.map(eventOf), '')).toEqual(expected);
    });

    it.each<[EdgeEvent, string]>([
      ['viewer-request', 'request?.method'],
      ['viewer-response', 'class A {}'],
    ])('a word in %s that njs lacks is found', async (event, planted) => {
      const code = edgeCode(event).replace(
        'async function handler(e){',
        `async function handler(e){const request=e.request;${planted};`,
      );
      expect(code).toContain(planted);
      const run = inNjs(code, [], '');
      await expect(run).rejects.toThrow(/SyntaxError: (Token|Unexpected token)/);
    });
  },
);
