import type { Body } from './body.ts';

/** Above this a body is written by itself; below, head and body are one write. */
const SMALL_BODY_BYTES = 64 * 1024;

/** Where requests go. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** Value of an `Authorization` header, for a server that was started elsewhere. */
  readonly authorization?: string;
}

export interface RequestParts {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly headers?: readonly string[];
  readonly body?: Body;
  /** Whether the answer's body is wanted; otherwise its bytes are counted and dropped. */
  readonly keep?: boolean;
}

/** A request as bytes, built once and sent any number of times. */
export interface PreparedRequest {
  readonly method: string;
  readonly path: string;
  readonly head: Buffer;
  readonly body: Body | undefined;
  readonly keep: boolean;
}

export function prepare(target: Target, parts: RequestParts): PreparedRequest {
  const { method, path, body, keep = false } = parts;
  const head = Buffer.from(`${headLines(target, parts).join('\r\n')}\r\n\r\n`, 'latin1');
  if (body === undefined || wireBytes(body) > SMALL_BODY_BYTES) {
    return { method, path, head, body, keep };
  }
  const blocks = Array.from({ length: body.repeat }, () => body.block);
  return { method, path, head: Buffer.concat([head, ...blocks, body.end]), body: undefined, keep };
}

function headLines(target: Target, { method, path, headers = [], body }: RequestParts): string[] {
  const lines = [`${method} ${path} HTTP/1.1`, `Host: ${target.host}:${target.port}`, ...headers];
  if (target.authorization !== undefined) {
    lines.push(`Authorization: ${target.authorization}`);
  }
  if (body !== undefined) {
    lines.push(body.header);
  } else if (method !== 'GET' && method !== 'HEAD') {
    lines.push('Content-Length: 0');
  }
  return lines;
}

function wireBytes(body: Body): number {
  return body.block.length * body.repeat + body.end.length;
}
