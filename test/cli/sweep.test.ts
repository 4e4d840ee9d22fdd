import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Host, startHost } from './program.ts';
import { pushImage } from './push.ts';

const PASSWORD = 'one that was chosen for this';

let host: Host;

beforeAll(async () => {
  host = await startHost();
});
afterAll(() => host.stop());

it('says that nothing goes where everything is in use, in one repository and in all', async () => {
  const { admin, registry } = host;
  await admin.print('user create pusher --password-stdin --grant team/*:pull,push', PASSWORD);
  await pushImage(registry.url, { username: 'pusher', password: PASSWORD }, 'team/app:v1');
  for (const words of ['sweep team/app', 'sweep', 'sweep --dry-run']) {
    const swept = await admin.run(words);
    expect(swept).toMatchObject({ code: 0, stdout: '' });
    expect(swept.stderr).toMatch(/^no findings\n(would delete|deleted) nothing\n$/);
  }
  expect(await admin.json('sweep team/app --dry-run')).toEqual({ findings: [] });
});

it('sweeps all repositories for an admin of the registry only', async () => {
  const { admin, registry, as } = host;
  const password = await admin.print('user create lead --grant team/*:admin');
  const lead = await as();
  await lead.print(`login ${registry.url} -u lead --password-stdin`, password);
  expect((await lead.run('sweep team/app')).code).toBe(0);
  const refused = await lead.run('sweep');
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toContain('name a repository');
});
