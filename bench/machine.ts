import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

const GIB = 1024 ** 3;

/** What a reader needs to know to judge or repeat the numbers, as a Markdown list. */
export function describeMachine(directory: string, root: string): string {
  const [load = 0] = loadavg();
  return [
    `- date: ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC`,
    `- CPU: ${cpus()[0]?.model.trim() ?? 'unknown'}, ${availableParallelism()} cores, for client and server together`,
    `- memory: ${(totalmem() / GIB).toFixed(0)} GiB; file system of the data: ${fileSystem(directory)}`,
    `- kernel: Linux ${release()}; load before the run: ${load.toFixed(2)}`,
    `- Node.js ${process.version} for Stowage and for the client; Stowage at commit ${commitOf(root)}`,
    `- ${output('docker-registry', ['--version'])}`,
    `- command: \`npm run bench -- ${process.argv.slice(2).join(' ')}\``.replace(' -- `', '`'),
  ].join('\n');
}

function fileSystem(directory: string): string {
  return output('df', ['--output=fstype', directory]).split('\n').at(-1) ?? 'unknown';
}

/** The commit of a checkout, and whether its sources differ from it. */
export function commitOf(root: string): string {
  const git = (...args: string[]) => output('git', ['--no-optional-locks', '-C', root, ...args]);
  const changes = git('status', '--porcelain', '--', 'functions', 'local');
  return `${git('rev-parse', '--short', 'HEAD')}${changes === '' ? '' : ', with changes that are not committed'}`;
}

function output(program: string, args: readonly string[]): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return `${program}: unknown`;
  }
}
