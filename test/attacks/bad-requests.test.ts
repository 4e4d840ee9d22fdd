import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { boundsFrom } from '../../local/bounds.ts';
import { type RunningServer, serve } from '../../local/server.ts';
import { SlowClient } from './slow-clients.ts';

// What is hardly HTTP is answered before there is a request: with the headers of every answer, and words that say why.

let server: RunningServer;

beforeAll(async () => {
  const bounds = { ...boundsFrom({}), headMs: 1000 };
  const app = async (request: Request) => {
    await request.arrayBuffer();
    return Response.json({});
  };
  server = await serve(app, { host: '127.0.0.1', port: 0, bounds });
});
afterAll(() => server.close());

const HOST = 'Host: localhost\r\n';

const BAD: Readonly<Record<string, readonly [text: string, status: number, why: string]>> = {
  'no HTTP': ['hello\r\n\r\n', 400, 'no HTTP request'],
  'a preface of HTTP/2': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'no HTTP request'],
  'a length that is none': [`PUT / HTTP/1.1\r\n${HOST}Content-Length: -1\r\n\r\n`, 400, 'no HTTP request'],
  'a body in broken chunks': [
    `PUT / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
    400,
    'no HTTP request',
  ],
  'too large a head': [`GET / HTTP/1.1\r\n${HOST}X-A: ${'a'.repeat(100_000)}\r\n\r\n`, 431, '64 KiB'],
  'chunk extensions that are too large': [
    `PUT / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n1;${'a'.repeat(20_000)}\r\na\r\n0\r\n\r\n`,
    413,
    'chunk extensions',
  ],
  'half a head': [`GET / HTTP/1.1\r\n${HOST}`, 408, 'too slowly'],
  'no host': ['GET / HTTP/1.1\r\n\r\n', 400, 'no Host header'],
  'another expectation': [`GET / HTTP/1.1\r\n${HOST}Expect: the-unexpected\r\n\r\n`, 417, '100-continue'],
  'a target that fetch knows no request for': [`OPTIONS * HTTP/1.1\r\n${HOST}\r\n`, 400, 'no HTTP request'],
};

describe('is refused with a reason and the headers of every answer:', () => {
  it.each(Object.entries(BAD))('%s', async (_, [text, status, why]) => {
    const client = await SlowClient.open(server.url, text);
    const [, head = '', body = ''] = await client.receives(/^(HTTP.*?\r\n)\r\n(\{.*\})$/s);
    expect(client.status).toBe(status);
    expect(head.toLowerCase()).toContain('\r\nx-content-type-options: nosniff\r\n');
    expect(head.toLowerCase()).toContain("\r\ncontent-security-policy: default-src 'none'");
    expect(head.toLowerCase()).toContain('\r\ncontent-type: application/json\r\n');
    expect(head.toLowerCase()).toContain(`\r\ncontent-length: ${body.length}\r\n`);
    expect(JSON.parse(body).errors[0].message).toContain(why);
    client.close();
  });

  it('and a request of HTTP/1.0 needs no host', async () => {
    const client = await SlowClient.open(server.url, 'GET / HTTP/1.0\r\n\r\n');
    await client.closed();
    expect(client.status).toBe(200);
  });
});
