import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { scratch } from '../scratch.ts';
import { type Host, startHost } from './program.ts';
import { pushImage } from './push.ts';

// The real program against a real registry with users; each test makes what it needs, by the program.

let host: Host;

beforeAll(async () => {
  host = await startHost();
});
afterAll(() => host.stop());

const lines = (text: string) => text.trimEnd().split('\n');

it('makes a user whose generated password is alone on standard output, and shows users as a table', async () => {
  const { admin, registry, as } = host;
  const made = await admin.run([
    ...['user', 'create', 'alice', '--description', 'of team a', '--grant', 'team-a/*:pull,push'],
  ]);
  expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\S{24}\n$/) });
  expect(made.stderr).toContain('made user alice; this password is shown once');
  const [heading = '', ...rows] = lines(await admin.print('user list'));
  expect(heading).toMatch(/^NAME {3}STATE {4}GROUPS {2}GRANTS/);
  expect(rows).toContainEqual(
    expect.stringMatching(/^alice {2}enabled {2}- {7}team-a\/\*:pull,push {2}of team a$/),
  );
  const alice = await as();
  await alice.print(`login ${registry.url} -u alice --password-stdin`, made.stdout);
  expect(await alice.json('whoami')).toMatchObject({ principal: 'user:alice', admin: false });
});

it('takes a password for a new user from standard input, and never shows it', async () => {
  const { admin, registry, as } = host;
  const password = 'one that she chose herself';
  const made = await admin.run('user create dora --password-stdin --admin', `${password}\n`);
  expect(made).toEqual({ code: 0, stdout: '', stderr: 'made user dora\n' });
  const dora = await as();
  await dora.print(`login ${registry.url} -u dora --password-stdin`, password);
  expect(await dora.json('whoami')).toMatchObject({ admin: true });
  await admin.print('user delete dora');
  expect((await dora.run('whoami')).code).toBe(1);
});

it('disables and enables a user, who cannot work meanwhile', async () => {
  const { admin, registry, as } = host;
  const password = await admin.print('user create eve');
  const eve = await as();
  await eve.print(`login ${registry.url} -u eve --password-stdin`, password);
  expect(await admin.run('user disable eve')).toEqual({ code: 0, stdout: '', stderr: 'disabled user eve\n' });
  expect(await admin.print('user show eve')).toMatch(/^state: +disabled$/m);
  const refused = await eve.run('whoami');
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toContain(`log in again: stowage login ${registry.url}`);
  await admin.print('user enable eve');
  expect(await eve.json('whoami')).toMatchObject({ principal: 'user:eve' });
});

it('changes the own password and keeps the login, and resets that of others', async () => {
  const { admin, registry, as } = host;
  const first = (await admin.print('user create frank')).trim();
  const frank = await as();
  await frank.print(`login ${registry.url} -u frank --password-stdin`, first);
  const wrong = await frank.run('user password --password-stdin', 'not my password\nsomething quite new\n');
  expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('current password') });
  await frank.print('user password --password-stdin', `${first}\nsomething quite new\n`);
  expect(await frank.json('whoami')).toMatchObject({ principal: 'user:frank' });
  const reset = await admin.print('user password frank');
  expect((await frank.run('whoami')).code).toBe(1);
  await frank.print(`login ${registry.url} -u frank --password-stdin`, reset);
});

it('makes a robot that pushes where it may and nowhere else, renews and deletes it', async () => {
  const { admin, registry } = host;
  const secret = (await admin.print('robot create ci --grant build/*:pull,push --days 30')).trim();
  const login = { username: 'robot/ci', password: secret };
  await pushImage(registry.url, login, 'build/app:v1');
  await expect(pushImage(registry.url, login, 'other/app:v1')).rejects.toThrow(/40[13]/);
  const shown = await admin.print('robot show ci');
  expect(shown).toMatch(/^login: +robot\/ci$/m);
  expect(shown).toMatch(/^grants: +build\/\*:pull,push$/m);
  expect(shown).toMatch(/^valid until: +20\d\d-/m);
  expect(await admin.print('robot list')).toContain('robot/ci');
  const renewed = (await admin.print('robot renew ci')).trim();
  await expect(pushImage(registry.url, login, 'build/app:v2')).rejects.toThrow('401');
  await pushImage(registry.url, { ...login, password: renewed }, 'build/app:v2');
  const rotated = await admin.run('robot renew ci --overlap 24h');
  expect(rotated.stderr).toMatch(
    /^renewed robot\/ci; the old one works until 20\d\d-.*; the new secret is shown once:$/m,
  );
  expect(await admin.print('robot show ci')).toMatch(/^old secret until: +20\d\d-/m);
  for (const password of [renewed, rotated.stdout.trim()])
    await pushImage(registry.url, { ...login, password }, 'build/app:v2');
  await admin.print('robot delete ci');
  await expect(pushImage(registry.url, { ...login, password: renewed }, 'build/app:v3')).rejects.toThrow(
    '401',
  );
});

it('shows a robot that has ended as ended', async () => {
  const { admin } = host;
  const until = new Date(Date.now() + 5000).toISOString();
  await admin.print(`robot create brief --grant brief/*:pull --until ${until}`);
  const row = async () =>
    lines(await admin.print('robot list')).find((line) => line.startsWith('robot/brief'));
  await expect.poll(row, { timeout: 25_000 }).toMatch(/^robot\/brief +ended /);
  expect(await admin.run('robot renew brief')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('validUntil: is needed: robot brief ended on 20'),
  });
});

it('gives the members of a group its grants, until they are no members', async () => {
  const { admin, registry } = host;
  const password = (await admin.print('user create grace')).trim();
  const login = { username: 'grace', password };
  await admin.print('group create team-g --grant team-g/*:push');
  await admin.print('group add team-g grace');
  await pushImage(registry.url, login, 'team-g/app:v1');
  expect(await admin.print('group show team-g')).toMatch(/^members: +grace$/m);
  expect(await admin.print('group list')).toContain('team-g');
  await admin.print('group remove team-g grace');
  await expect(pushImage(registry.url, login, 'team-g/app:v2')).rejects.toThrow(/40[13]/);
  await admin.print('group delete team-g');
  expect((await admin.run('group show team-g')).code).toBe(1);
});

it('sets, lists and removes grants', async () => {
  const { admin } = host;
  await admin.print('user create henry');
  const set = await admin.run('grant add user:henry team-h/* pull push');
  expect(set).toEqual({ code: 0, stdout: '', stderr: 'user:henry now has team-h/*:pull,push\n' });
  await admin.print('grant add user:henry team-h/* pull');
  expect(await admin.json('grant list user:henry')).toEqual({
    grants: [{ subject: 'user:henry', pattern: 'team-h/*', actions: ['pull'] }],
  });
  expect(lines(await admin.print('grant list'))).toContainEqual(expect.stringMatching(/^user:henry +team-h/));
  await admin.print('grant remove user:henry team-h/*');
  expect(await admin.run('grant list user:henry')).toEqual({ code: 0, stdout: '', stderr: 'no grants\n' });
  expect(await admin.run('grant remove user:admin *')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('last admin'),
  });
});

it('makes a token that CI uses by variables alone, and revokes it', async () => {
  const { admin, registry, as } = host;
  const password = await admin.print('user create iris --grant team-i/*:admin');
  const iris = await as();
  await iris.print(`login ${registry.url} -u iris --password-stdin`, password);
  const made = await iris.run(['token', 'create', 'my laptop', '--grant', 'team-i/*:pull', '--days', '7']);
  const [, id = ''] = /made token (\w+) of iris/.exec(made.stderr) ?? [];
  const ci = await as({
    STOWAGE_REGISTRY: registry.url,
    STOWAGE_USERNAME: 'iris',
    STOWAGE_TOKEN: made.stdout.trim(),
  });
  expect(await ci.json('whoami')).toMatchObject({ principal: 'user:iris' });
  expect(lines(await iris.print('token list'))[1]).toMatch(new RegExp(`^${id} +my laptop +team-i/\\*:pull `));
  expect(await admin.json('token list --user iris')).toMatchObject({ tokens: [{ id }] });
  await iris.print(`token revoke ${id}`);
  const refused = await ci.run('whoami');
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('STOWAGE_TOKEN were refused') });
});

it('trusts the CI of GitHub by one rule, and an issuer of ones own by a file of rules', async () => {
  const { admin } = host;
  const rule = ['--claim', 'repository=org/app', '--claim', 'ref=refs/heads/main', '--grant', 'org/app:push'];
  await admin.print(['issuer', 'add', 'github', '--github', ...rule]);
  const { issuers } = (await admin.json('issuer list')) as { issuers: unknown[] };
  expect(issuers).toMatchObject([
    {
      name: 'github',
      issuer: 'https://token.actions.githubusercontent.com',
      audience: new URL(host.registry.url).host,
      rules: [
        {
          claims: { repository: 'org/app', ref: 'refs/heads/main' },
          grants: [{ pattern: 'org/app', actions: ['push'] }],
        },
      ],
    },
  ]);
  expect(await admin.print('issuer list')).toContain(
    'repository=org/app ref=refs/heads/main -> org/app:push',
  );
  const both = await admin.run(['issuer', 'add', 'both', '--github', '--gitlab', ...rule]);
  expect(both).toMatchObject({ code: 2, stderr: expect.stringContaining('name one issuer') });
  const bare = await admin.run('issuer add http http://ci.example.com --claim a=b --grant x:pull');
  expect(bare).toMatchObject({ code: 1, stderr: expect.stringContaining('\n  issuer: ') });
  await admin.print('issuer remove github');
  expect((await admin.run('issuer list')).stderr).toBe('no issuers\n');
});

it('sets policies from a file or standard input, shows what they say, and deletes them', async () => {
  const { admin } = host;
  const teamA = {
    name: 'team-a',
    repositories: ['team-a/*'],
    retention: { tags: [{ match: ['dev-*'], keepLast: 3, keepNewerThanDays: 7 }] },
    quota: { each: { bytes: 2 ** 30, tags: 5 } },
  };
  const teamB = { name: 'team-b', repositories: ['team-b/*'], immutable: { tags: ['v*'] } };
  const set = await admin.run('policy set -', JSON.stringify([teamA, teamB]));
  const waits =
    'where it would delete more than 100 images or a tenth, it waits a day, or for: stowage policy confirm team-a';
  expect(set).toEqual({ code: 0, stdout: '', stderr: `set policy team-a\n${waits}\nset policy team-b\n` });
  const listed = await admin.json('policy list');
  expect(listed).toEqual({ policies: [teamA, teamB] });
  const file = join(await scratch(), 'policies.json');
  await writeFile(file, JSON.stringify(listed));
  expect(await admin.json(`policy set ${file}`)).toEqual(listed);
  expect(lines(await admin.print('policy list'))[1]).toMatch(
    /^team-a +team-a\/\* +yes +- +1.0 GiB, 5 tags each$/,
  );
  expect(await admin.print('policy show team-a')).toMatch(
    /^keeps: +of dev-\*: the last 3, or newer than 7 days$/m,
  );
  const bad = await admin.run('policy set -', JSON.stringify({ ...teamB, immutable: { tag: ['v*'] } }));
  expect(bad).toMatchObject({ code: 1, stderr: expect.stringContaining('immutable.tag') });
  const nameless = await admin.run('policy set -', '{"repositories": ["a"]}');
  expect(nameless).toMatchObject({ code: 1, stderr: expect.stringContaining('needs a "name"') });
  for (const name of ['team-a', 'team-b']) await admin.print(`policy delete ${name}`);
  expect((await admin.run('policy list')).stderr).toBe('no policies\n');
  expect(await admin.run('policy show team-a')).toMatchObject({ code: 1, stdout: '' });
});

it('lists, publishes and deletes repositories and tags', async () => {
  const { admin, registry, password } = host;
  const login = { username: 'admin', password };
  const first = await pushImage(registry.url, login, 'shop/web:v1');
  await pushImage(registry.url, login, 'shop/web:latest');
  const second = await pushImage(registry.url, login, 'shop/web:v1');
  expect(second).toBe(first);
  expect(lines(await admin.print('repo list'))).toContainEqual(expect.stringMatching(/^shop\/web +private$/));
  await admin.print('repo public shop/web');
  expect(await admin.print('repo show shop/web')).toMatch(/^visibility: +public$/m);
  const anybody = await fetch(`${registry.url}/token?scope=repository:shop/web:pull`);
  const { token } = (await anybody.json()) as { token: string };
  const pulled = await fetch(`${registry.url}/v2/shop/web/manifests/v1`, {
    headers: { Authorization: `Bearer ${token}` },
  });
  expect(pulled.status).toBe(200);
  const rows = lines(await admin.print('tag list shop/web'));
  expect(rows[0]).toMatch(/^TAG +DIGEST +TYPE +SIZE +PLATFORMS +TAGGED +BY +LAST PULL$/);
  const today = new Date().toISOString().slice(0, 10);
  expect(rows[2]).toMatch(new RegExp(`^v1 +${first} +image +\\d+ B +- +20.* +user:admin +${today}$`));
  expect(lines(await admin.print('tag list shop/web --prefix v'))).toHaveLength(2);
  const shown = await admin.print('tag show shop/web:v1');
  expect(shown).toContain(first);
  expect(shown).toMatch(/^size: +\d+ B$/m);
  expect(shown).toMatch(/^referrers: +0$/m);
  const repository = await admin.print('repo show shop/web');
  expect(repository).toMatch(/^size: +\d+ B in \d+ blobs?$/m);
  expect(repository).toMatch(/^tags: +2$/m);
  expect(repository).toMatch(/^last push: +20\d\d-/m);
  expect(repository).toMatch(new RegExp(`^last pull: +${today}$`, 'm'));
  expect(lines(await admin.print('repo list --prefix shop/ --usage'))).toEqual([
    expect.stringMatching(/^NAME +VISIBILITY +TAGS +SIZE +LAST PUSH +LAST PULL$/),
    expect.stringMatching(new RegExp(`^shop/web +public +2 +\\d+ B +20.* +${today}$`)),
  ]);
  expect(await admin.run('repo list --prefix none/')).toMatchObject({ stderr: 'no repositories\n' });
  await admin.print('tag delete shop/web:v1');
  expect((await admin.json('tag list shop/web')) as object).toMatchObject({ tags: [{ name: 'latest' }] });
  const unsure = await admin.run('repo delete shop/web');
  expect(unsure).toMatchObject({ code: 2, stderr: expect.stringContaining('say --yes') });
  expect(await admin.run('repo delete shop/web --yes')).toMatchObject({ code: 0, stdout: '' });
  const gone = await admin.run('repo show shop/web');
  expect(gone).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/^stowage: .+\n$/) });
});

it('shows the history of a tag, rolls it back, and restores what was deleted', async () => {
  const { admin, registry } = host;
  const secret = (await admin.print('robot create shipper --grant ship/*:push')).trim();
  const login = { username: 'robot/shipper', password: secret };
  const first = await pushImage(registry.url, login, 'ship/app:v1');
  const second = await pushImage(registry.url, login, 'ship/app:v1', 'second');
  const dry = await admin.print('tag rollback ship/app:v1 --dry-run');
  expect(lines(dry)[0]).toMatch(/^OUTCOME +TAG +DIGEST +WHY$/);
  expect(dry).toMatch(new RegExp(`^restored +v1 +${first} +it was on ${second}$`, 'm'));
  expect(await admin.print('tag show ship/app:v1')).toMatch(new RegExp(`^digest: +${second}$`, 'm'));
  await admin.print('tag rollback ship/app:v1');
  await admin.print('tag delete ship/app:v1');
  const rows = lines(await admin.print('tag history ship/app:v1'));
  expect(rows.map((row) => row.split(/ {2,}/)[1])).toEqual(['DIGEST', 'deleted', first, second, first]);
  expect(await admin.json('restore ship/app:v1')).toMatchObject({
    entries: [{ outcome: 'restored', digest: first }],
  });
  await admin.print(`tag rollback ship/app:v1 --to ${second}`);
  expect(await admin.print('restore ship/app --at 1h --dry-run')).toBe('');
  expect(await admin.run('restore ship/app')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--at'),
  });
  const none = `sha256:${'0'.repeat(64)}`;
  const gone = await admin.run(`restore ship/app@${none}`);
  expect(gone).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('its quarantine is over'),
  });
  expect((await admin.run(`tag rollback ship/app:v1 --to ${none}`)).stderr).toContain('was never on');
});

it('shows the audit trail, filtered, and says where there is more', async () => {
  const { admin, registry } = host;
  const secret = (await admin.print('robot create auditor --grant audited/*:push')).trim();
  await pushImage(registry.url, { username: 'robot/auditor', password: secret }, 'audited/app:v1');
  const filtered = await admin.print('audit --principal robot:auditor --repository audited/app --since 1h');
  const [heading, row] = lines(filtered);
  expect(heading).toMatch(/^TIME +PRINCIPAL +OPERATION +OUTCOME +REPOSITORY +TARGET +ADDRESS$/);
  expect(row).toMatch(/robot:auditor +manifest\.put +allowed 201 +audited\/app .*127\.0\.0\.1$/);
  const operations = async (options: string) => {
    const { records } = (await admin.json(`audit -n 1000 ${options}`)) as {
      records: { operation: string }[];
    };
    return new Set(records.map(({ operation }) => operation));
  };
  expect(await operations('--outcome allowed')).not.toContain('token.issue');
  expect(await operations('--all --outcome allowed')).toContain('token.issue');
  expect(await operations('--operation token.issue')).toEqual(new Set(['token.issue']));
  expect(await operations('--operation robot.create')).toEqual(new Set(['robot.create']));
  const hint = 'without the tokens that were issued; see them with --all, or --operation token.issue\n';
  expect((await admin.run('audit -n 1000')).stderr).toBe(hint);
  const none = await admin.run('audit --until 2020-01-01 --since 2019-12-31');
  expect(none).toEqual({ code: 0, stdout: '', stderr: `no records\n${hint}` });
  const short = await admin.run('audit -n 2');
  expect(lines(short.stdout)).toHaveLength(3);
  expect(short.stderr).toContain('there are more');
  expect(await admin.json('audit -n 2')).toMatchObject({ records: [{}, {}] });
});

it('passes on why the registry refuses, field by field, and changes nothing', async () => {
  const { admin, registry, as } = host;
  const bad = await admin.run('user create Zoe');
  expect(bad).toMatchObject({ code: 1, stdout: '' });
  expect(bad.stderr).toMatch(/^stowage: .+\n {2}name: .+\n$/);
  await admin.print('user create jack');
  expect(await admin.run('user create jack')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('jack'),
  });
  const password = await admin.print('user password jack');
  const jack = await as();
  await jack.print(`login ${registry.url} -u jack --password-stdin`, password);
  expect(await jack.run('user list')).toMatchObject({ code: 1, stdout: '' });
  await admin.print('user delete jack');
  expect((await admin.run('user show jack')).code).toBe(1);
});
