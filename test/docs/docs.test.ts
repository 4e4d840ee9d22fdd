import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../../cli/program.ts';
import * as LIMITS from '../../functions/limits.ts';
import { SETTINGS } from '../../local/options.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(ROOT, 'docs')).flatMap((name) => (name.endsWith('.md') ? [`docs/${name}`] : [])),
];
const pages = PAGES.map((path) => [path, read(path)] as const);

/** What the docs show of a shell: whole lines of blocks, and what stands in the text between backticks. */
function commandsIn(text: string): string[] {
  const blocks = [...text.matchAll(/^ *```(?:sh)?\n([\s\S]*?)^ *```/gm)].flatMap(([, block = '']) =>
    block.split('\n'),
  );
  const inline = [...text.replaceAll(/^ *```[\s\S]*?^ *```/gm, '').matchAll(/`(stowage [^`\n]+)`/g)];
  return [...blocks.map((line) => line.trim().replace(/^\$ /, '')), ...inline.map(([, words = '']) => words)]
    .filter((line) => line.startsWith('stowage '))
    .map((line) => line.replace(/\s+#.*$/, ''));
}

const wordsOf = (line: string) => line.match(/'[^']*'|"[^"]*"|[^\s'"]+/g) ?? [];

/** The command that words name, and the words behind its name. */
function commandOf(words: readonly string[]): { command: Command; rest: readonly string[] } {
  let command = createProgram();
  for (const [index, word] of words.entries()) {
    const next = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
    if (!next) return { command, rest: words.slice(index) };
    command = next;
  }
  return { command, rest: [] };
}

describe('the docs', () => {
  it('show many commands', () => {
    expect(pages.flatMap(([, text]) => commandsIn(text)).length).toBeGreaterThan(60);
  });

  it('never have anybody run "npx stowage", but for the page that says why', () => {
    const bare = pages
      .filter(([, text]) => /npx (?!--no )(?:-\S+ )*stowage/.test(text))
      .map(([path]) => path);
    expect(bare).toEqual(['docs/cli.md']);
    expect(read('docs/cli.md').match(/npx stowage/g)).toHaveLength(1);
    expect(read('docs/cli.md')).toContain('**Do not type `npx stowage` outside of the checkout.**');
  });

  it.each(pages)('show commands and options of stowage that there are: %s', (_, text) => {
    const unknown = commandsIn(text).filter((line) => {
      const { command, rest } = commandOf(wordsOf(line).slice(1));
      const isCommand =
        command.commands.length === 0 ||
        command.registeredArguments.length > 0 ||
        rest.length === 0 ||
        /^[<-]|^help$/.test(rest[0] ?? '');
      const known = [...command.options, ...createProgram().options].flatMap(({ long, short }) => [
        long,
        short,
      ]);
      const flags = rest.filter((word) => /^--?[a-z]/i.test(word)).map((word) => word.replace(/=.*/, ''));
      return !isCommand || flags.some((flag) => !['--help', '-h', ...known].includes(flag));
    });
    expect(unknown).toEqual([]);
  });

  it('name variables that something reads', () => {
    const sources = execFileSync('git', ['grep', '-hoE', 'STOWAGE_[A-Z0-9_]*[A-Z0-9]', '--', ':!*.md'], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    const read = new Set(sources.split('\n'));
    for (const [path, text] of pages) {
      const named = text.match(/\bSTOWAGE_[A-Z0-9_]*[A-Z0-9]\b(?!_…)/g) ?? [];
      expect([path, named.filter((name) => !read.has(name))]).toEqual([path, []]);
    }
  });

  it('name options of the stack that there are', () => {
    const options = new Set(
      [...read('lib/settings.ts').matchAll(/^ {2}([a-zA-Z]+): /gm)].map(([, name]) => name),
    );
    for (const [path, text] of pages) {
      const named = [...text.matchAll(/-c ([a-zA-Z]+)=/g)]
        .map(([, name]) => name)
        .filter((name) => name !== 'name');
      expect([path, named.filter((name) => !options.has(name))]).toEqual([path, []]);
    }
    expect(pages.filter(([, text]) => /shorter `publicUrl`/.test(text))).toEqual([]);
  });

  it.each(['README.md', 'docs/limits.md'])('tell in %s the defaults that count', (path) => {
    const rows = [...read(path).matchAll(/^\| (`STOWAGE_[^|]*?) \| ([^|]*) \|/gm)];
    const told = rows.flatMap(([, cells = '', usual = '']) =>
      [...cells.matchAll(/`(STOWAGE_[A-Z_]+)`/g)].map(([, variable]) => [variable, usual] as const),
    );
    const numbers = SETTINGS.filter(({ default: usual }) => /^[\d.]+$/.test(usual));
    for (const [variable, usual] of told.filter(([, usual]) => usual !== 'see there')) {
      const setting = numbers.find((one) => one.variable === variable);
      if (setting) expect([variable, usual]).toEqual([variable, expect.stringMatching(setting.default)]);
    }
    expect(told.length).toBeGreaterThan(5);
  });

  it('list every setting of a registry on one machine where they tell of "stowage serve"', () => {
    const page = read('docs/cli.md');
    for (const { variable, option, default: usual } of SETTINGS) {
      const name = option === undefined ? '' : `\`--${option}\``;
      expect(page).toContain(`| ${name} | \`${variable}\` | ${usual} |`);
    }
  });

  it('tell the numbers of the code', () => {
    const readme = read('README.md');
    const concurrency = read('docs/concurrency.md');
    const erasure = read('functions/registry/manifest-erasure.ts');
    expect(readme).toContain(`${LIMITS.MAX_MANIFEST_BYTES / 2 ** 20} MiB a manifest`);
    expect(readme).toContain(`${LIMITS.MAX_REFERENCES.toLocaleString('en')} references`);
    expect(readme).toContain(`${LIMITS.MAX_TAGS_PER_PUT} tags in one push`);
    expect(concurrency).toContain('marked, up to thirty at once');
    expect(erasure).toContain('MANIFESTS_AT_ONCE = 30;');
    expect(LIMITS.REFRESH_TOKEN_SECONDS).toBe(90 * 86_400);
    expect(read('docs/cli.md')).toContain('It ends after 90 days');
  });

  it('name every folder in the table of CONTRIBUTING.md, once', () => {
    const named = [...read('CONTRIBUTING.md').matchAll(/^\| `([a-z]+(?:\/[a-z]+)?)\/`/gm)].map(
      ([, folder]) => folder,
    );
    const folders = (path: string) =>
      readdirSync(join(ROOT, path), { withFileTypes: true }).flatMap((one) =>
        one.isDirectory() ? [one.name] : [],
      );
    const wanted = [
      ...folders('functions').map((name) => `functions/${name}`),
      ...['cli', 'local', 'edge', 'lib', 'bench'],
    ];
    expect(new Set(named)).toEqual(new Set(wanted));
    expect(named).toHaveLength(wanted.length);
  });
});
