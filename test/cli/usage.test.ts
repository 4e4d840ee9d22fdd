import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { scratch } from '../scratch.ts';
import { Stowage } from './program.ts';

const ROOT = join(import.meta.dirname, '../..');

const start = async () => new Stowage(await scratch());

/** Whether a program is here; Linux and macOS have bash, zsh and fish are seldom installed. */
const has = (program: string) => spawnSync(program, ['--version']).status === 0;

it('runs as "npx stowage" in a checkout, with nothing but results on standard output', () => {
  const { status, stdout } = spawnSync('npx', ['stowage', '--version'], { cwd: ROOT, encoding: 'utf8' });
  expect({ status, stdout }).toEqual({ status: 0, stdout: '0.1.0\n' });
});

it('has a help text for each command that fits on a screen', async () => {
  const stowage = await start();
  const help = await stowage.print('--help');
  const [, listed = ''] = /\nCommands:\n(.*?)\n\n/s.exec(help) ?? [];
  const commands = [...listed.matchAll(/^ {2}([a-z]+)/gm)].flatMap(([, name]) =>
    name && name !== 'help' ? name : [],
  );
  expect(commands).toContain('grant');
  const texts = await Promise.all(commands.map((name) => stowage.print(`help ${name}`)));
  for (const text of [help, ...texts]) expect(text.split('\n').length).toBeLessThan(56);
});

it.each([
  ['an unknown command', 'user creat', "unknown command 'creat'"],
  ['a command without its sub-command', 'user', 'Usage: stowage user'],
  ['an unknown option', 'user list --all', "unknown option '--all'"],
  ['a grant that is none', 'robot create ci --grant team-a', "'team-a/*:pull,push'"],
  ['an action that is none', 'grant add user:a x shove', 'pull, push, delete, admin'],
  ['a subject that is none', 'grant add alice x pull', 'user:NAME'],
  ['a repository name that is none', 'repo show Team/App', 'lower-case'],
  ['a tag without its repository', 'tag show v1', "'team-a/app:v1'"],
  ['two ends', 'robot renew ci --days 1 --until 2030-01-01 --registry 127.0.0.1:1', 'exclude each other'],
  ['an operation that can be none', 'audit --operation Manifest.Put', "'manifest.put'"],
  ['a time that is none', 'audit --since yesterday', "'24h'"],
  ['no store', 'admin create', '--table or --data'],
])('ends with 2 and says what is wrong for %s', async (_, command, message) => {
  const outcome = await (await start()).run(command);
  expect(outcome).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(message) });
});

it.each([
  [
    'an empty file',
    '/dev/null',
    'it is empty, and should hold policies; stowage policy set --help shows one',
  ],
  ['a file that is no JSON', 'README.md', 'README.md: it is not JSON ('],
  ['a file that is not there', 'nowhere.json', 'nowhere.json: ENOENT: no such file or directory'],
  ['empty standard input', '-', 'standard input: it is empty, and should hold policies'],
])('ends with 1 and says what is wrong with policies in %s', async (_, file, message) => {
  const outcome = await (await start()).run(`policy set ${file} --registry 127.0.0.1:1`);
  expect(outcome).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(message) });
});

it('says whom it is not logged in to, and how to', async () => {
  const stowage = await start();
  expect(await stowage.run('whoami')).toEqual({
    code: 2,
    stdout: '',
    stderr:
      'stowage: which registry? you are logged in to none: stowage login URL, or name one by --registry URL or STOWAGE_REGISTRY\n',
  });
});

describe('completion', () => {
  it('is a script that bash can read, and finds commands, options and choices by', async () => {
    const script = join(await scratch(), 'completion.bash');
    await writeFile(script, await (await start()).print('completion bash'));
    expect(spawnSync('bash', ['-n', script]).status).toBe(0);
    const complete = (...words: string[]) => {
      const program =
        'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _stowage; declare -p COMPREPLY';
      const { stdout } = spawnSync('bash', ['-c', program, 'bash', script, 'stowage', ...words], {
        encoding: 'utf8',
      });
      return [...stdout.matchAll(/\]="([^"]*)"/g)].map(([, word]) => word);
    };
    expect(complete('')).toEqual(expect.arrayContaining(['serve', 'login', 'user', 'audit']));
    expect(complete('user', 'cr')).toEqual(['create']);
    expect(complete('user', 'create', 'alice', '--gr')).toEqual(['--grant', '--group']);
    expect(complete('--json', 'grant', 'add', 'user:a', 'x', 'pu')).toEqual(['pull', 'push']);
    expect(complete('audit', '--outcome', 'ref')).toEqual(['refused']);
  });

  it.runIf(has('zsh'))('is a script that zsh can read', async () => {
    const input = await (await start()).print('completion zsh');
    expect(spawnSync('zsh', ['-n'], { input }).status).toBe(0);
  });

  it.runIf(has('fish'))('is a script that fish can read, and completes by', async () => {
    const script = join(await scratch(), 'completion.fish');
    await writeFile(script, await (await start()).print('completion fish'));
    const program = `source ${script}; complete -C 'stowage --json tag '`;
    const { stdout, stderr } = spawnSync('fish', ['-c', program], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^delete\t.*\nlist\t.*\nshow\t/);
  });
});

// A terminal is made by util-linux's script.
it.runIf(process.platform === 'linux' && has('script'))(
  'asks for name and password on a terminal, and shows only the name',
  async () => {
    const command = `${process.execPath} ${join(ROOT, 'cli/main.ts')} login http://127.0.0.1:1`;
    const env = { ...process.env, XDG_CONFIG_HOME: await scratch() };
    const terminal = spawn('script', ['-qec', command, '/dev/null'], { env });
    const closed = once(terminal, 'close');
    let shown = '';
    terminal.stdout.on('data', (text) => {
      shown += text;
    });
    const shows = (text: string) => expect.poll(() => shown, { timeout: 20_000 }).toContain(text);
    await shows('User name');
    terminal.stdin.write('alice\r');
    await shows('Password of alice: ');
    terminal.stdin.write('open sesame\r');
    await shows('cannot reach http://127.0.0.1:1');
    await closed;
    expect(shown).not.toContain('sesame');
  },
);
