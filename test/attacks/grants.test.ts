import { expect, it } from 'vitest';
import { grant, openApi } from '../management/fixture.ts';

// What an admin of some repositories may do to those who have nothing to do with them.

async function opened() {
  const api = await openApi();
  await api.addUser('lead', grant('team-a/*', 'admin'));
  await api.addUser('other', grant('team-b/*', 'admin'));
  await api.addUser('bob', grant('team-b/*', 'push'));
  const [root, lead, other] = await Promise.all([api.as('root'), api.as('lead'), api.as('other')]);
  const set = (as: typeof root, subject: string, pattern: string) =>
    as('PUT /grants', { subject, pattern, actions: ['pull'] });
  const remove = (as: typeof root, subject: string, pattern: string) =>
    as(`DELETE /grants?subject=${subject}&pattern=${pattern}`);
  return { api, root, lead, other, set, remove };
}

it('they fill nobody so that others cannot give them anything', async () => {
  const { root, lead, other, set, remove } = await opened();
  let status = 200;
  for (let n = 0; status === 200; n += 1) {
    expect(n).toBeLessThan(101);
    ({ status } = await set(lead, 'user:bob', `team-a/junk${n}`));
  }
  expect(status).toBe(409);
  for (let n = 0; n < 50; n += 1) expect((await set(root, 'user:bob', `team-c/${n}`)).status).toBe(200);
  for (let n = 0; n < 50; n += 1) expect((await set(other, 'user:bob', `team-b/${n}`)).status).toBe(200);
  expect((await set(root, 'user:bob', 'team-a/junk0')).status).toBe(200);
  expect((await remove(lead, 'user:bob', 'team-a/junk1')).status).toBe(204);
  expect((await set(lead, 'user:bob', 'team-a/mine')).status).toBe(200);
});

it('many of them together leave the room of the admins of the registry alone', async () => {
  const { api, root, set } = await opened();
  for (const team of ['c', 'd', 'e', 'f', 'g'])
    await api.addUser(`lead-${team}`, grant(`team-${team}/*`, 'admin'));
  const statuses = new Set<number>();
  for (const team of ['c', 'd', 'e', 'f', 'g']) {
    const lead = await api.as(`lead-${team}`);
    for (let n = 0; n < 100; n += 1) statuses.add((await set(lead, 'user:bob', `team-${team}/${n}`)).status);
  }
  expect(statuses).toEqual(new Set([200, 409]));
  expect((await set(root, 'user:bob', 'base/*')).status).toBe(200);
});

it('they do not learn who exists', async () => {
  const { lead, set, remove } = await opened();
  const told = async (subject: string) => {
    const answers = [
      await remove(lead, subject, 'team-a/x'),
      await set(lead, subject, 'team-a/x'),
      await set(lead, subject, 'team-a/x'),
      await remove(lead, subject, 'team-a/x'),
      await remove(lead, subject, 'team-a/x'),
      await lead(`GET /grants?subject=${subject}`),
      await lead(`GET /${subject.replace(':', 's/')}`),
      await lead(`DELETE /${subject.replace(':', 's/')}`),
      await lead(`GET /users/${subject.slice(subject.indexOf(':') + 1)}/tokens`),
    ];
    return JSON.stringify(answers.map(({ status, body }) => ({ status, body }))).replaceAll(
      subject.slice(5),
      '…',
    );
  };
  expect(await told('user:bob')).toBe(await told('user:eve'));
  expect(await told('group:none')).toBe(
    await told('group:nobody').then((text) => text.replaceAll('nobody', 'none')),
  );
});

it('the trail tells admins what was done for nobody', async () => {
  const { root, lead, set } = await opened();
  await set(lead, 'user:eve', 'team-a/x');
  const { body } = await root('GET /audit?n=5');
  expect(body['records']).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        operation: 'grant.set',
        principal: 'user:lead',
        target: 'nothing was done, there is no such subject: user:eve',
      }),
    ]),
  );
});
