import { parseArgs } from 'node:util';
import type { Target } from './http/request.ts';
import { FULL, QUICK, type Scale } from './scale.ts';
import type { Server } from './servers.ts';
import { WORKLOADS } from './workloads/all.ts';

export interface Options {
  readonly names: readonly string[];
  readonly scale: Scale;
  readonly write: boolean;
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
    },
  });
  const unknown = positionals.filter((name) => !WORKLOADS.has(name));
  if (unknown.length > 0) {
    throw new Error(`no workload ${unknown.join(', ')}; there are ${[...WORKLOADS.keys()].join(', ')}`);
  }
  if (values.write && values.quick) {
    throw new Error('--write publishes, and --quick is too short for that');
  }
  const authorization = environment['BENCH_STOWAGE_AUTHORIZATION'];
  return {
    names: positionals.length > 0 ? positionals : [...WORKLOADS.keys()],
    scale: values.quick ? QUICK : FULL,
    write: values.write,
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
