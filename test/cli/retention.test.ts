import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { scratch } from '../scratch.ts';
import { type Host, startHost } from './program.ts';
import { pushImage } from './push.ts';

// The real program against a real registry with users.

let host: Host;

beforeAll(async () => {
  host = await startHost();
});
afterAll(() => host.stop());

async function fileOf(content: object): Promise<string> {
  const file = join(await scratch(), 'rules.json');
  await writeFile(file, JSON.stringify(content));
  return file;
}

it('imports the rules of another registry, which are then set and shown, or says what cannot be said', async () => {
  const { admin } = host;
  const selection = {
    tagStatus: 'tagged',
    tagPrefixList: ['prod'],
    countType: 'imageCountMoreThan',
    countNumber: 5,
  };
  const rules = (type: string) => ({ rules: [{ rulePriority: 1, selection, action: { type } }] });
  const file = await fileOf(rules('expire'));
  const imported = await admin.print(
    `policy import ${file} --from ecr --name from-ecr --repositories team-a/*`,
  );
  await admin.print('policy set -', imported);
  expect(await admin.print('policy show from-ecr')).toMatch(
    /^keeps: +of images with prod\*: the last 5 \(among tags prod\*\)$/m,
  );
  await admin.print('policy delete from-ecr');
  const refused = await admin.run(`policy import ${await fileOf(rules('transition'))} --from ecr`);
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toContain('rules.0.action.type: transition');
  expect((await admin.run(`policy import ${file} --from quay`)).code).toBe(2);
});

it('holds a manifest with a reason and an end, lists what is held, and releases it', async () => {
  const { admin, password, registry } = host;
  const digest = await pushImage(registry.url, { username: 'admin', password }, 'held/app:v1');
  await admin.print([
    'retention',
    'hold',
    `held/app@${digest}`,
    '--reason',
    'case 17',
    '--until',
    '2099-12-31',
  ]);
  const [, row] = (await admin.print('retention holds held/app')).split('\n');
  expect(row).toContain(digest);
  expect(row).toContain('case 17');
  expect((await admin.run(`retention release held/app@${digest}`)).stderr).toBe(`released ${digest}\n`);
  expect((await admin.run('retention holds held/app')).stderr).toBe('no holds\n');
  expect((await admin.run(['retention', 'hold', 'held/app:v1', '--reason', 'x'])).code).toBe(2);
});
