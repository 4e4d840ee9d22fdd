import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { expect, it, onTestFinished } from 'vitest';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';

// Memory is read from /proc.
it.runIf(process.platform === 'linux')('takes and serves 1 GiB in less than a quarter of it', async () => {
  const registry = await RegistryProcess.start(await scratch());
  onTestFinished(() => registry.stop('SIGKILL'));
  const opened = await fetch(`${registry.url}/v2/a/blobs/uploads/`, { method: 'POST' });
  const location = registry.url + opened.headers.get('location');
  const chunk = Buffer.alloc(1024 * 1024);
  const sent = request(location, { method: 'PATCH' });
  const answered = once(sent, 'response');
  for (let n = 0; n < 1024; n += 1) if (!sent.write(chunk)) await once(sent, 'drain');
  sent.end();
  const [answer] = (await answered) as [IncomingMessage];
  answer.resume();
  expect(answer).toMatchObject({ statusCode: 202, headers: { range: `0-${2 ** 30 - 1}` } });
  const digest = 'sha256:49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14';
  const finished = await fetch(`${location}?digest=${digest}`, { method: 'PUT' });
  expect(finished.status).toBe(201);
  const blob = await fetch(`${registry.url}/v2/a/blobs/${digest}`);
  let size = 0;
  for await (const part of blob.body ?? []) size += part.length;
  expect(size).toBe(2 ** 30);
  expect(registry.peakMemory).toBeLessThan(256);
});
