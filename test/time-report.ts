import { relative } from 'node:path';
import type { Reporter, TestModule } from 'vitest/node';

const SHOWN = 12;

/** Says at the end where the time went: the slowest files, with the seconds that each took and how many of them went into
 *  importing what it needs. */
export class TimeReport implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const files = modules.map(timeOf).sort((a, b) => b.total - a.total);
    const total = sumOf(files.map((file) => file.total));
    const rows = files.slice(0, SHOWN).map(({ path, total, imports }) => {
      return `${seconds(total)}  ${seconds(imports)}  ${path}`;
    });
    const others = sumOf(files.slice(SHOWN).map((file) => file.total));
    const rest = `${seconds(others)}           ${files.length - rows.length} other files`;
    if (files.length > SHOWN) rows.push(rest);
    process.stdout.write(`\n   time   import  of ${seconds(total).trim()} in ${files.length} files\n`);
    process.stdout.write(`${rows.join('\n')}\n`);
  }
}

function timeOf(module: TestModule) {
  const { collectDuration, setupDuration, environmentSetupDuration, prepareDuration, duration } =
    module.diagnostic();
  const imports = collectDuration + setupDuration + environmentSetupDuration + prepareDuration;
  return { path: relative(process.cwd(), module.moduleId), imports, total: imports + duration };
}

const sumOf = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0);

const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(1)} s`.padStart(7);
