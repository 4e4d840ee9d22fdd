import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { text } from 'node:stream/consumers';
import { algorithmOf, finishDigest } from '../../functions/oci/digest.ts';
import { type Answer, parse, USER_AGENT, unreachable } from '../exchange.ts';
import { Failure } from '../failure.ts';
import type { Blob } from './image.ts';

/** A connection on which nothing moves for so long is given up. */
const IDLE_MS = 5 * 60_000;

interface Sending {
  readonly blob: Blob;
  /** What has to come with it. */
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Told how many bytes more are on their way. */
  readonly onBytes: (count: number) => void;
}

/** Sends a blob in one PUT that says its length, as S3 wants it. Bytes that are not what the digest says are never sent
 *  to the end; an answer that comes before the end stops the sending. */
export async function sendBlob(url: string, sending: Sending): Promise<Answer> {
  const { blob, headers, signal } = sending;
  const request = (url.startsWith('https:') ? requestHttps : requestHttp)(url, {
    method: 'PUT',
    signal,
    headers: {
      'User-Agent': USER_AGENT,
      'Content-Type': 'application/octet-stream',
      'Content-Length': blob.content.size,
      ...headers,
    },
  });
  request.setTimeout(IDLE_MS, () => request.destroy(new Error('nothing moved for 5 minutes')));
  const answer = answerTo(request);
  try {
    await write(request, answer, sending);
    return await read(await answer);
  } catch (error) {
    throw error instanceof Failure ? error : unreachable(url, error);
  } finally {
    if (!request.writableFinished) request.destroy();
  }
}

function answerTo(request: ClientRequest): Promise<IncomingMessage> {
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    request.on('response', resolve);
    request.on('error', reject);
  });
  // It may fail while nobody waits for it yet.
  answer.catch(() => undefined);
  return answer;
}

async function write(
  request: ClientRequest,
  answer: Promise<IncomingMessage>,
  { blob, onBytes }: Sending,
): Promise<void> {
  let isAnswered = false;
  request.on('response', () => {
    isAnswered = true;
  });
  for await (const chunk of checked(blob)) {
    if (isAnswered) return;
    if (!request.write(chunk)) await Promise.race([once(request, 'drain'), answer]);
    onBytes(chunk.length);
  }
  request.end();
}

async function read(message: IncomingMessage): Promise<Answer> {
  const headers = new Headers();
  for (const [name, values = []] of Object.entries(message.headersDistinct)) {
    for (const value of values) headers.append(name, value);
  }
  return { status: message.statusCode ?? 0, headers, body: bodyIn(await text(message)) };
}

/** S3 says in XML what a registry says in JSON. */
function bodyIn(text: string): unknown {
  const [, code, message] = /<Error>.*?<Code>([^<]+)<\/Code>.*?<Message>([^<]*)<\/Message>/s.exec(text) ?? [];
  return code === undefined
    ? parse(text)
    : { title: `the store of the registry answered ${code}: ${message}` };
}

/** The bytes of a blob, of which the last come only when all were what the digest says. */
async function* checked({ digest, content }: Blob): AsyncGenerator<Buffer> {
  const algorithm = algorithmOf(digest);
  const hash = createHash(algorithm);
  let held: Buffer | undefined;
  let size = 0;
  for await (const chunk of content.read()) {
    hash.update(chunk);
    size += chunk.length;
    if (held) yield held;
    held = chunk;
  }
  const actual = finishDigest(algorithm, hash);
  if (actual !== digest || size !== content.size) {
    throw new Failure(`blob ${digest} is damaged: its bytes have the digest ${actual}`);
  }
  if (held) yield held;
}
