import { expect, it, onTestFinished } from 'vitest';
import { startControl } from './control.ts';
import { Counters } from './counters.ts';
import { Faults } from './faults.ts';

async function openControl() {
  const counters = new Counters();
  const control = await startControl({
    counters,
    faults: new Faults(),
    origins: { api: { url: 'http://127.0.0.1:1', answerMs: 1 } },
    conflicts: new Map(),
  });
  onTestFinished(() => control.close());
  const ask = async (call: string, body?: unknown) => {
    const [method = '', path = ''] = call.split(' ');
    const given = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(new URL(path, control.url), { method, ...given });
    return { status: response.status, body: await response.json() };
  };
  return { counters, ask };
}

it('switches faults on and off by name, with a number where it is about one', async () => {
  const { ask } = await openControl();
  expect(await ask('GET /faults')).toEqual({ status: 200, body: {} });
  const wanted = { 'head-length-zero': true, 'events-delayed': 500 };
  expect(await ask('POST /faults', wanted)).toEqual({ status: 200, body: wanted });
  expect((await ask('POST /faults', { 'head-length-zero': false })).body).toEqual({ 'events-delayed': 500 });
});

it('changes nothing for a name that it does not know, and says which there are', async () => {
  const { ask } = await openControl();
  const refused = await ask('POST /faults', { 'head-length-zero': true, 'head-lenght': true });
  expect(refused).toMatchObject({
    status: 400,
    body: { error: expect.stringContaining('no fault head-lenght') },
  });
  expect(await ask('POST /faults', { 'head-length-zero': 'yes' })).toMatchObject({ status: 400 });
  expect((await ask('GET /faults')).body).toEqual({});
});

it('tells what has passed, and forgets it', async () => {
  const { ask, counters } = await openControl();
  counters.of('blobs').uploadBytes += 5;
  expect((await ask('GET /counts')).body).toMatchObject({ blobs: { uploadBytes: 5 }, api: { requests: 0 } });
  expect((await ask('POST /reset-counts')).body).toMatchObject({ blobs: { uploadBytes: 0 } });
  expect((await ask('GET /origins')).body).toEqual({ api: 'http://127.0.0.1:1' });
});
