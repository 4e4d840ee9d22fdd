import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROBE_NAMES } from '../../cli/doctor/probes.ts';

// docs/what-aws-documents.md against the probes of `stowage doctor`, and these against the tests that see them find something.

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

interface Line {
  readonly assumption: string;
  readonly source: string;
  readonly breaks: string;
  /** Names of probes, and paths of tests. */
  readonly seenBy: readonly string[];
}

const LINES: readonly Line[] = read('docs/what-aws-documents.md')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (we count on|---)/.test(line))
  .map((line) => {
    const [assumption = '', source = '', breaks = '', last = ''] = line.slice(2, -2).split(' | ');
    return {
      assumption,
      source,
      breaks,
      seenBy: [...last.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
    };
  });

const isTest = (name: string) => name.startsWith('test/');

describe('the page of what we assume', () => {
  it.each(LINES)('says where it is from, what breaks and what sees it: $assumption', (line) => {
    expect(line.source).toMatch(/documented|reported|assumed|our own/);
    if (!line.source.startsWith('assumed')) expect(line.source).toContain('https://docs.aws.amazon.com/');
    expect(line.breaks).not.toBe('');
    expect(line.seenBy.length).toBeGreaterThan(0);
    for (const name of line.seenBy) {
      expect(isTest(name) ? existsSync(join(ROOT, name)) : PROBE_NAMES.includes(name), name).toBe(true);
    }
  });

  it('has a line for each probe', () => {
    const named = new Set(LINES.flatMap(({ seenBy }) => seenBy));
    expect(PROBE_NAMES.filter((name) => !named.has(name))).toEqual([]);
  });

  it.each(PROBE_NAMES)('names no probe that no test has seen to fail: %s', (name) => {
    const tests = ['test/cli/doctor.test.ts', 'test/cli/doctor-embedded.test.ts'].map(read).join('\n');
    const failed = new RegExp(`probe: '${name}'|name: '${name}', verdict: 'failed'|FAILED \\{3\\}${name} `);
    expect(tests).toMatch(failed);
  });
});
