import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { scratch } from '../scratch.ts';
import { Stowage } from './program.ts';

// What only a registry with very much in it answers: a stand-in says it at once.

interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

/** A registry that gives these answers one after the other, and notes what it was asked. */
async function scripted(answers: readonly Answer[]) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const { status, body } = answers[asked.length] ?? { status: 500 };
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(status, { 'Content-Type': 'application/json', 'Retry-After': '0' });
    response.end(body === undefined ? '' : JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const stowage = new Stowage(await scratch(), { STOWAGE_REGISTRY: `http://127.0.0.1:${port}` });
  return { stowage, asked };
}

it('deletes a repository that takes several requests', async () => {
  const rest = { status: 202, body: { remaining: true } };
  const { stowage, asked } = await scripted([rest, rest, { status: 204 }]);
  expect(await stowage.run('repo delete big/one --yes')).toEqual({
    code: 0,
    stdout: '',
    stderr: 'deleted big/one\n',
  });
  expect(asked).toEqual(Array(3).fill('DELETE /api/v1/repositories/big/one'));
});

it('lists all pages, short ones included', async () => {
  const page = (names: readonly string[], next?: string) => ({
    status: 200,
    body: { repositories: names.map((name) => ({ name, visibility: 'private' })), ...(next && { next }) },
  });
  const { stowage, asked } = await scripted([page(['a'], 'a'), page([], 'q'), page(['z'])]);
  expect(await stowage.json('repo list')).toEqual({
    repositories: [
      { name: 'a', visibility: 'private' },
      { name: 'z', visibility: 'private' },
    ],
  });
  expect(asked.map((url) => url.slice(url.indexOf('?')))).toEqual([
    '?n=1000',
    '?n=1000&last=a',
    '?n=1000&last=q',
  ]);
});

it('shows an answer that is no JSON as a failure, not as a crash', async () => {
  const { stowage } = await scripted([{ status: 502 }, { status: 200 }]);
  expect(await stowage.run('repo list')).toEqual({
    code: 1,
    stdout: '',
    stderr: 'stowage: the registry answered 502\n',
  });
  expect((await stowage.run('repo list')).stderr).toMatch(/^stowage: http:\S+ is no Stowage registry\n$/);
});
