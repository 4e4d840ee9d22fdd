import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describeMachine } from './machine.ts';
import { type Pair, runWorkload } from './measure.ts';
import { type Options, readOptions } from './options.ts';
import { type Result, ratio, report } from './report.ts';
import { type Server, ServerGroup } from './servers.ts';
import { WORKLOADS } from './workloads/all.ts';

const BENCH = import.meta.dirname;
const ROOT = dirname(BENCH);

const options = readOptions(process.argv.slice(2), process.env);
const workspace = mkdtempSync(join(tmpdir(), 'stowage-bench-'));
const group = new ServerGroup();

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    group.kill();
    removeWorkspace();
    process.exit(1);
  });
}

try {
  publish(await compare(options), options.write);
} finally {
  await group.stop();
  removeWorkspace();
}

async function compare({ names, scale, ours, other }: Options): Promise<string> {
  const machine = describeMachine(workspace, ROOT);
  const servers = {
    ours: ours ?? (await group.startStowage(ROOT, workspace)),
    other: other ?? (await group.startDockerRegistry(workspace)),
  };
  const results: Result[] = [];
  for (const name of names) {
    const workload = WORKLOADS.get(name)?.(scale);
    if (workload !== undefined) {
      const result = { workload, servers: await runWorkload(workload, servers) };
      console.error(`${name}: ${ratio(result).toFixed(2)}`);
      results.push(result);
    }
  }
  return `${machine}\n\n${report(results, namesOf(servers))}`;
}

function namesOf({ ours, other }: Pair<Server>): Pair<string> {
  return { ours: ours.name, other: other.name };
}

function publish(text: string, write: boolean): void {
  console.log(text);
  if (write) {
    const title = '# Stowage and docker-registry, side by side';
    const note =
      'Written by `npm run bench -- --write`; what is measured and how is in [README.md](README.md).';
    writeFileSync(join(BENCH, 'RESULTS.md'), `${title}\n\n${note}\n\n${text}`);
  }
}

function removeWorkspace(): void {
  rmSync(workspace, { recursive: true, force: true });
}
