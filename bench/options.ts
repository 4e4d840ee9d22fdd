import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ROW_NAMES } from './cloud/rows/all.ts';
import type { Target } from './http/request.ts';
import { FULL, QUICK, type Scale } from './scale.ts';
import type { Server } from './servers.ts';
import { WORKLOADS } from './workloads/all.ts';

/** What else can be measured, beside the workloads. */
const PARTS = ['bounds', 'start-up', 'memory', 'contention', 'retention', 'stalls', 'zb'] as const;
type Part = (typeof PARTS)[number];

/** All rows of the comparison on S3. */
const CLOUD = 'cloud';

export interface Options {
  readonly workloads: readonly string[];
  readonly parts: ReadonlySet<Part>;
  /** Of the comparison on S3. */
  readonly cloudRows: readonly string[];
  readonly scale: Scale;
  readonly isQuick: boolean;
  readonly write: boolean;
  /** Another checkout of Stowage, which takes the place of docker-registry in the workloads. */
  readonly beside: string | undefined;
  /** Servers that run already and are used in place of new ones. */
  readonly ours: Server | undefined;
  readonly other: Server | undefined;
}

export function readOptions(args: string[], environment: NodeJS.ProcessEnv): Options {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      write: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      beside: { type: 'string' },
    },
  });
  const all = [...WORKLOADS.keys(), ...PARTS, CLOUD, ...ROW_NAMES];
  const unknown = positionals.filter((name) => !all.includes(name));
  if (unknown.length > 0) {
    throw new Error(`there is no ${unknown.join(', ')}; there are ${all.join(', ')}`);
  }
  const names = positionals.length > 0 ? positionals : all;
  if (values.write && values.quick) {
    throw new Error('--write publishes, and --quick is too short for that');
  }
  if (values.beside && !names.every((name) => WORKLOADS.has(name))) {
    throw new Error(
      `--beside compares workloads, which have to be named: ${[...WORKLOADS.keys()].join(', ')}`,
    );
  }
  const authorization = environment['BENCH_STOWAGE_AUTHORIZATION'];
  return {
    workloads: names.filter((name) => WORKLOADS.has(name)),
    parts: new Set(PARTS.filter((part) => names.includes(part))),
    cloudRows: ROW_NAMES.filter((name) => names.includes(name) || names.includes(CLOUD)),
    scale: values.quick ? QUICK : FULL,
    isQuick: values.quick,
    write: values.write,
    beside: values.beside && resolve(values.beside),
    ours: runningServer('Stowage', environment['BENCH_STOWAGE_URL'], authorization),
    other: runningServer('docker-registry', environment['BENCH_OTHER_URL'], undefined),
  };
}

function runningServer(
  name: string,
  url: string | undefined,
  authorization: string | undefined,
): Server | undefined {
  if (url === undefined) {
    return undefined;
  }
  const { hostname, port, protocol, host } = new URL(url);
  if (protocol !== 'http:') {
    throw new Error(`${url}: only http: is spoken here`);
  }
  const target: Target = { host: hostname, port: Number(port || 80) };
  return {
    name: `${name} at ${host}`,
    target: authorization === undefined ? target : { ...target, authorization },
  };
}
