import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cleanUpOnSignal, killRunning } from '../clients/command.ts';
import { stopDaemons } from '../clients/daemons.ts';
import {
  chosenTarget,
  openTarget,
  TARGETS,
  type Target,
  type TargetName,
  TargetUnavailable,
} from '../targets.ts';
import { findConformance, type Program, runProgram } from './program.ts';
import { asMarkdown, asText, problems, totalOf } from './report.ts';
import type { Results } from './results.ts';

const PROJECT = join(import.meta.dirname, '../..');
const VERSIONS = ['1.1', 'dev'];

const directory = await mkdtemp(join(tmpdir(), 'stowage-conformance-'));
let target: Target | undefined;
let cleaning: Promise<void> | undefined;
cleanUpOnSignal(cleanUp);
try {
  process.exitCode = await main(process.argv.slice(2));
} finally {
  await cleanUp();
}

/** Runs the official conformance program; its own report, with every request, is left in `results/`. */
async function main(args: readonly string[]): Promise<number> {
  const program = await findConformance();
  if (program === undefined) return close([], ['Go is not installed']);
  const results: Results[] = [];
  const absent: string[] = [];
  for (const name of targetsToAsk(args)) {
    try {
      results.push(...(await runTarget(program, name)));
    } catch (error) {
      if (!(error instanceof TargetUnavailable)) throw error;
      absent.push(`${name}: ${error.message}`);
    }
  }
  // A page that lacks a target would look as if nobody had meant to test it.
  if (args.includes('--write') && absent.length === 0) await writePage(program, results);
  return close(results, absent);
}

/** A registry that is given is the only one. */
function targetsToAsk(args: readonly string[]): readonly TargetName[] {
  const all = args.includes('--all-targets') && !process.env['STOWAGE_URL'];
  return all ? TARGETS : [chosenTarget()];
}

/** Prints what was found, what is wrong, and the closing line. Returns the exit code. */
function close(results: readonly Results[], absent: readonly string[]): number {
  if (results.length > 0) console.log(asText(results));
  const found = problems(results);
  if (found.length > 0) console.log(`\n${found.join('\n')}`);
  for (const reason of absent) console.log(`\nskipped: ${reason}`);
  const { passed, failed, skipped } = totalOf(results);
  console.log(`\n${passed} passed, ${failed} failed, ${skipped + absent.length} skipped`);
  const isRequired = absent.length > 0 && process.env['STOWAGE_REQUIRE_CLIENTS'];
  return found.length > 0 || isRequired ? 1 : 0;
}

async function runTarget(program: Program, name: TargetName): Promise<readonly Results[]> {
  const data = join(directory, name);
  await mkdir(data);
  target = await openTarget(name, data);
  const url = new URL(target.url);
  const label = process.env['STOWAGE_URL'] ? url.host : name;
  const results: Results[] = [];
  for (const version of VERSIONS) {
    console.log(`${program.name}, version ${version}, against ${label} at ${url.origin} ...`);
    const reports = join(PROJECT, 'results/conformance', label.replace(':', '-'), version);
    results.push(
      await runProgram({
        program,
        url,
        credentials: target.admin,
        target: label,
        version,
        directory: reports,
      }),
    );
  }
  await target.stop();
  return results;
}

async function writePage(program: Program, results: readonly Results[]): Promise<void> {
  const page = { results, program: program.command.join(' '), date: new Date().toISOString().slice(0, 10) };
  await mkdir(join(PROJECT, 'docs'), { recursive: true });
  await writeFile(join(PROJECT, 'docs/conformance.md'), asMarkdown(page));
}

/** Ends all that was started, then removes all that was written; a second call waits for the first. */
function cleanUp(): Promise<void> {
  cleaning ??= endAndRemove();
  return cleaning;
}

async function endAndRemove(): Promise<void> {
  killRunning();
  await stopDaemons();
  await target?.stop();
  await rm(directory, { recursive: true, force: true });
}
