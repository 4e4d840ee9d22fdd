import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { ALL_ROUTES } from '../../functions/routes.ts';
import { freePort } from '../../test/free-port.ts';
import { cpuSeconds } from '../process-usage.ts';
import type { ServerGroup, StartedServer } from '../server-group.ts';
import { LOOPBACK, type Recipe } from '../servers.ts';
import { table } from '../table.ts';
import {
  BIG,
  DOOMED,
  FULL_STALLS,
  fillFolder,
  HEAVY,
  QUICK_STALLS,
  RETAINED,
  STRANGER,
  STRANGERS_PASSWORD,
  type StallScale,
  TAGGED,
} from './data.ts';
import { ASKS, type Ask } from './requests.ts';

/** What no request may do to all others. */
const MOST_MS = 50;

interface Turns {
  readonly wallMs: number;
  readonly processorMs: number;
}

interface Row extends Turns {
  readonly what: string;
  readonly status: string;
  /** Until the answer was there, all of it; and of all threads of the registry's processor meanwhile. */
  readonly seconds: number;
  readonly processorSeconds: number;
  /** The longest that another request waited meanwhile. */
  readonly otherMs: number;
}

interface Place {
  readonly root: string;
  readonly workspace: string;
  readonly group: ServerGroup;
  readonly isQuick: boolean;
}

/** Asks everything there is to ask of a large registry, and writes a section of how long its event loop was held. */
export async function stalls({ root, workspace, group, isQuick }: Place): Promise<string> {
  mkdirSync(workspace);
  refuseGaps();
  const scale = isQuick ? QUICK_STALLS : FULL_STALLS;
  const data = join(workspace, 'data');
  const password = await fillFolder(data, scale);
  const watchPort = await freePort();
  const server = await group.start(await recipe(root, workspace, data, watchPort));
  const probe = new Probe(server, watchPort);
  const rows = [await probe.firstTidying()];
  await probe.logIn(password);
  for (const ask of ASKS) rows.push(await probe.least(ask, scale.tries));
  await server.stop();
  return report(rows, scale);
}

/** A new endpoint has to be asked for, too. */
function refuseGaps(): void {
  const asked = new Set(ASKS.map(({ operation }) => operation));
  const missing = ALL_ROUTES.filter(({ operation }) => !asked.has(operation));
  if (missing.length > 0) throw new Error(`nothing asks for ${missing.map(({ operation }) => operation)}`);
}

async function recipe(root: string, workspace: string, data: string, watchPort: number): Promise<Recipe> {
  const port = await freePort();
  const watch = pathToFileURL(join(import.meta.dirname, 'watch.ts')).href;
  return {
    name: 'Stowage',
    command: [process.execPath, `--import=${watch}`, join(root, 'local', 'start.mjs')],
    port,
    settings: { STOWAGE_PORT: `${port}`, STOWAGE_DATA: data, BENCH_WATCH_PORT: `${watchPort}` },
    root,
    log: join(workspace, 'log'),
  };
}

class Probe {
  readonly #registry: string;
  readonly #watch: string;
  readonly #pid: number;
  #tokens = { admin: '', stranger: '' };

  constructor({ target, pid }: StartedServer, watchPort: number) {
    this.#registry = `http://${target.host}:${target.port}`;
    this.#watch = `http://${LOOPBACK}:${watchPort}`;
    this.#pid = pid;
  }

  /** It begins when the registry listens. */
  async firstTidying(): Promise<Row> {
    await this.#turns(); // of its start, when nobody waits for it
    const [started, used] = [performance.now(), cpuSeconds(this.#pid)];
    let longest: Turns = { wallMs: 0, processorMs: 0 };
    for (let idle = 0; idle < 10; ) {
      await sleep(100);
      const turns = await this.#turns();
      idle = turns.processorMs < 2 ? idle + 1 : 0;
      longest = {
        wallMs: Math.max(longest.wallMs, turns.wallMs),
        processorMs: Math.max(longest.processorMs, turns.processorMs),
      };
    }
    const seconds = (performance.now() - started) / 1000 - 1;
    const processorSeconds = cpuSeconds(this.#pid) - used;
    return {
      what: 'the first tidying',
      status: '',
      seconds,
      processorSeconds,
      otherMs: longest.wallMs,
      ...longest,
    };
  }

  async logIn(password: string): Promise<void> {
    const scopes = [BIG, TAGGED, HEAVY, DOOMED, RETAINED].map(
      (name) => `repository:${name}:pull,push,delete`,
    );
    this.#tokens = {
      admin: await this.#token('admin', password, [...scopes, 'registry:catalog:*', 'registry:api:*']),
      stranger: await this.#token(STRANGER, STRANGERS_PASSWORD, ['registry:catalog:*', 'registry:api:*']),
    };
  }

  async least(ask: Ask, tries: number): Promise<Row> {
    let least = await this.#row(ask);
    for (let tried = 1; tried < tries && !ask.once && least.wallMs > MOST_MS / 5; tried += 1) {
      const row = await this.#row(ask);
      if (row.wallMs < least.wallMs) least = row;
    }
    console.error(
      `${least.what}: ${least.wallMs.toFixed(1)} ms, ${least.processorMs.toFixed(1)} ms of processor, ${least.status}, ${least.seconds.toFixed(2)} s, others ${least.otherMs.toFixed(1)}`,
    );
    return least;
  }

  async #row(ask: Ask): Promise<Row> {
    const { times = 1 } = ask;
    await this.#turns();
    const others = new AbortController();
    const waited = this.#askMeanwhile(others.signal);
    const [started, used] = [performance.now(), cpuSeconds(this.#pid)];
    const statuses = await Promise.all(Array.from({ length: times }, () => this.#ask(ask)));
    const seconds = (performance.now() - started) / 1000;
    const processorSeconds = cpuSeconds(this.#pid) - used;
    others.abort();
    const otherMs = await waited;
    const turns = await this.#turns();
    const what = `${ask.what} (${ask.operation})${times > 1 ? `, ${times} at once` : ''}`;
    return { what, status: [...new Set(statuses)].join(', '), seconds, processorSeconds, otherMs, ...turns };
  }

  async #ask({ line, as, type, body }: Ask): Promise<number> {
    const [method = '', path = ''] = line.split(' ');
    const authorization = `Bearer ${this.#tokens[as ?? 'admin']}`;
    const headers = { authorization, ...(type !== undefined && { 'content-type': type }) };
    const response = await fetch(`${this.#registry}${path}`, {
      method,
      headers,
      ...(body !== undefined && { body }),
    });
    await response.arrayBuffer();
    return response.status;
  }

  /** The longest that somebody else's request took until the signal. */
  async #askMeanwhile(signal: AbortSignal): Promise<number> {
    let longest = 0;
    while (!signal.aborted) {
      const started = performance.now();
      await this.#ask({ operation: 'ping', what: '', line: 'GET /v2/' });
      longest = Math.max(longest, performance.now() - started);
      await sleep(2);
    }
    return longest;
  }

  async #turns(): Promise<Turns> {
    return (await (await fetch(this.#watch)).json()) as Turns;
  }

  async #token(user: string, password: string, scopes: readonly string[]): Promise<string> {
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    const query = new URLSearchParams(scopes.map((scope): [string, string] => ['scope', scope]));
    const response = await fetch(`${this.#registry}/token?${query}`, { headers: { authorization } });
    return ((await response.json()) as { token: string }).token;
  }
}

/** Below this a row is not worth a line. */
const SHOWN_MS = 4;

function report(rows: readonly Row[], scale: StallScale): string {
  const byProcessor = rows.toSorted((a, b) => b.processorMs - a.processorMs);
  const shown = byProcessor.filter(({ processorMs }) => processorMs >= SHOWN_MS);
  const late = rows.filter(({ processorMs }) => processorMs > MOST_MS);
  // In the small size processes are cold, and the machine may be any: it is shown, and fails nothing.
  if (late.length > 0 && scale === FULL_STALLS) process.exitCode = 1;
  const cells = shown.map(({ what, status, wallMs, processorMs, otherMs, seconds, processorSeconds }) => [
    what,
    status,
    processorMs.toFixed(1),
    wallMs.toFixed(1),
    otherMs.toFixed(1),
    seconds.toFixed(2),
    processorSeconds.toFixed(2),
  ]);
  return [
    '## How long one request keeps all others',
    '',
    `Of every endpoint the largest that can be asked, and 4 MiB manifests made to be slow: ${rows.length} rows, of which those are shown that take`,
    `${SHOWN_MS} ms or more. A turn is how long the event loop was held at most, in milliseconds of its thread's processor time and of the clock; for`,
    `as long all others wait. The goal is ${MOST_MS} ms of processor. Of ${scale.tries} tries the least; what changes something is tried once. Beside each,`,
    'somebody asked for `GET /v2/`, on and on: the longest that took. The last column is the processor time of all, of every thread.',
    '',
    `The registry holds ${describe(scale)}.`,
    '',
    table(
      ['request', 'status', 'turn, processor', 'turn, clock', 'other request', 'seconds', 'of processor'],
      cells,
      2,
    ),
    '',
    late.length > 0
      ? `Over the goal: ${late.map(({ what }) => what).join('; ')}.`
      : 'Every row meets the goal.',
    '',
  ].join('\n');
}

const describe = (scale: StallScale) =>
  `a repository of ${scale.images} tags and ${scale.images * scale.blobsPerImage} blobs, one of ${scale.tags} tags, one of ${scale.heavyTags} tags whose ` +
  `manifests have 16 KB, a manifest with ${scale.tagsOfOne} tags, one with ${scale.referrers} referrers, ${scale.repositories} other repositories, ` +
  `${scale.auditRecords} audit records, ${scale.users} users in one group, and ${scale.expired} expired items at its start`;
