import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RegistryProcess } from '../registry-process.ts';
import { findProgram, type Program, runProgram } from './program.ts';
import { asMarkdown, asText, problems, totalOf } from './report.ts';
import type { Results } from './results.ts';

const PROJECT = join(import.meta.dirname, '../..');
const VERSIONS = ['1.1', 'dev'];

/** Runs the official conformance program; its own report, with every request, is left in `results/`. */
async function main(args: readonly string[]): Promise<number> {
  const program = await findProgram();
  if (program === undefined) {
    console.log('\nskipped: Go is not installed\n\n0 passed, 0 failed, 1 skipped');
    return process.env['STOWAGE_REQUIRE_CLIENTS'] ? 1 : 0;
  }
  const results = await runAgainstRegistry(program);
  const found = problems(results);
  console.log(asText(results));
  if (found.length > 0) console.log(`\n${found.join('\n')}`);
  if (args.includes('--write')) await writePage(program, results);
  const { passed, failed, skipped } = totalOf(results);
  console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`);
  return found.length === 0 ? 0 : 1;
}

async function runAgainstRegistry(program: Program): Promise<readonly Results[]> {
  const given = process.env['STOWAGE_URL'];
  if (given) return await runVersions(program, new URL(given));
  const data = await mkdtemp(join(tmpdir(), 'stowage-conformance-'));
  const registry = await RegistryProcess.start(data);
  try {
    return await runVersions(program, new URL(registry.url));
  } finally {
    await registry.stop('SIGTERM');
    await rm(data, { recursive: true, force: true });
  }
}

async function runVersions(program: Program, url: URL): Promise<readonly Results[]> {
  const results: Results[] = [];
  for (const version of VERSIONS) {
    console.log(`${program.name}, version ${version}, against ${url.origin} ...`);
    const directory = join(PROJECT, 'results/conformance', version);
    results.push(await runProgram({ program, url, version, directory }));
  }
  return results;
}

async function writePage(program: Program, results: readonly Results[]): Promise<void> {
  const page = { results, program: program.command.join(' '), date: new Date().toISOString().slice(0, 10) };
  await mkdir(join(PROJECT, 'docs'), { recursive: true });
  await writeFile(join(PROJECT, 'docs/conformance.md'), asMarkdown(page));
}

process.exitCode = await main(process.argv.slice(2));
