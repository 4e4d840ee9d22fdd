import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { blocksOf } from '../clients/page/blocks.ts';
import { PARTS } from '../clients/page/parts.ts';

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/clients.md'), 'utf8');

describe('docs/clients.md', () => {
  const blocks = blocksOf(PAGE);

  it('has no command that is neither run by test/clients nor marked as not run', () => {
    const names = PARTS.map(({ name }) => name);
    const stray = blocks.filter(({ is, part }) => is !== 'other' && !names.includes(part));
    expect(stray.map(({ part, line }) => `line ${line}, ${part}`)).toEqual([]);
  });

  it('has commands for every part that test/clients runs, in their order', () => {
    const commands = blocks.filter(({ is }) => is === 'commands').map(({ part }) => part);
    expect([...new Set(commands)]).toEqual(PARTS.map(({ name }) => name));
  });

  it('says of every client what its login, its push and its errors are', () => {
    const wanted = [
      'docker',
      'podman',
      'skopeo',
      'buildah',
      'crane',
      'regctl and regsync',
      'oras',
      'oras-py',
      'ko',
    ];
    const besides = [
      'kaniko',
      'cosign',
      'Helm',
      'Kubernetes',
      'GitHub Actions',
      'GitLab CI',
      'Jib',
      'Gradle',
      'Flux',
    ];
    const titles = [...PAGE.matchAll(/^## (.*)$/gm)].map(([, title]) => title);
    expect(titles).toEqual(
      expect.arrayContaining([...wanted, ...besides, 'Argo CD', 'testcontainers', 'containerd']),
    );
  });
});

describe('what it says of refusals', () => {
  // test/clients sees clients print the others, in which names stand.
  const ANSWERS = [
    ['incorrect user name or password', 'functions/handlers/token.ts'],
    ['the password is empty', 'functions/http/token-request.ts'],
    ['too many failed logins', 'functions/oci/host-errors.ts'],
    ['the access token has expired', 'functions/auth/authentication.ts'],
  ] as const;

  it.each(ANSWERS)('is what the registry answers: %s', (words, file) => {
    expect(PAGE).toContain(`| \`${words}\` |`);
    expect(readFileSync(join(import.meta.dirname, '../..', file), 'utf8')).toContain(words);
  });
});

describe('a page', () => {
  const page = (...lines: string[]) => blocksOf(['# Title', '', '## docker', '', ...lines].join('\n'));

  it('has commands, which belong to their section or to what stands after sh', () => {
    const blocks = page('```sh', 'docker pull a', '```', '', '```sh buildx', 'docker buildx build', '```');
    expect(blocks).toMatchObject([
      { part: 'docker', is: 'commands', text: 'docker pull a\n', line: 5 },
      { part: 'buildx', is: 'commands', line: 9 },
    ]);
  });

  it('has files, which are written under their names', () => {
    expect(page('```yaml a/b.yml', 'x: 1', '```')).toMatchObject([
      { part: 'docker', is: 'file', path: 'a/b.yml' },
    ]);
  });

  it('says what is not run, right before it, in however many lines', () => {
    const said = ['*Not run here: it needs', 'a cluster.*'];
    expect(page(...said, '', '```sh', 'kubectl', '```')).toMatchObject([{ is: 'other' }]);
    expect(page(...said, '', 'Then:', '', '```sh', 'kubectl', '```')).toMatchObject([{ is: 'commands' }]);
  });

  it('is refused with a block that nobody would run', () => {
    expect(() => page('```yaml', 'x: 1', '```')).toThrow('line 5');
  });
});
