import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { S3Error } from './s3-error.ts';

type Query = readonly (readonly [name: string, value: string])[];

/** A request with its target taken apart; paths and queries are decoded. */
export interface Call {
  readonly request: IncomingMessage;
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly path: string;
  readonly query: Query;
  readonly bucket: string;
  readonly key: string;
}

const MAX_KEY_BYTES = 1024;

export function parseCall(request: IncomingMessage): Call {
  const target = request.url ?? '/';
  const mark = target.indexOf('?');
  const path = decode(mark < 0 ? target : target.slice(0, mark));
  const [, bucket = '', key = ''] = /^\/([^/]*)\/?(.*)$/s.exec(path) ?? [];
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) {
    throw new S3Error('KeyTooLongError', 'Your key is too long', {
      Size: Buffer.byteLength(key),
      MaxSizeAllowed: MAX_KEY_BYTES,
    });
  }
  const query = parseQuery(mark < 0 ? '' : target.slice(mark + 1));
  return { request, method: request.method ?? '', headers: request.headers, path, query, bucket, key };
}

/** Keeps order, repeats and empty values, all of which a signature covers. */
function parseQuery(text: string): Query {
  const pairs = text.split('&').filter((pair) => pair !== '');
  return pairs.map((pair) => {
    const equals = pair.indexOf('=');
    const [name, value] = equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
    return [decode(name.replaceAll('+', ' ')), decode(value.replaceAll('+', ' '))] as const;
  });
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3Error('InvalidURI', "Couldn't parse the specified URI.");
  }
}

export function queryValue(call: Pick<Call, 'query'>, name: string): string | undefined {
  return call.query.find(([each]) => each === name)?.[1];
}

/** A header's value; of a repeated one, all values with commas between. */
export function header(call: Pick<Call, 'headers'>, name: string): string | undefined {
  const value = call.headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}
