import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { type IncomingMessage, request as requestInClear } from 'node:http';
import { request } from 'node:https';
import { BlockList, isIP, isIPv6, type LookupFunction } from 'node:net';

/** Ours: what an issuer says of itself, and its keys; the largest that are known are a tenth of it. */
const MAX_DOCUMENT_BYTES = 256 * 1024;

/** How near an address is, the farthest first. What is named by somebody far away must be as far. */
const REACHES = ['public', 'private', 'loopback'] as const;
export type Reach = (typeof REACHES)[number];

export interface RemoteDocument {
  readonly status: number;
  readonly text: string;
  /** Of the nearest address that its host has; `public` where a proxy asked for it. */
  readonly reach: Reach;
}

interface Asking {
  /** Nothing nearer is asked. */
  readonly within: Reach;
  /** Of the whole answer. */
  readonly signal: AbortSignal;
  /** @default the system's */
  readonly lookup?: typeof dnsLookup;
}

/** A document that somebody else has named. Follows no redirect, reads no more than `MAX_DOCUMENT_BYTES`, and asks no address
 *  that is nearer than it may be, whatever the DNS says, nor ever one of the link or of nobody: fails with `TooNear`. */
export async function fetchDocument(url: URL, { within, signal, lookup }: Asking): Promise<RemoteDocument> {
  const guard = new Guard(url, within, lookup);
  const answer = await send(url, guard.lookup, signal);
  return { status: answer.statusCode ?? 0, text: await textOf(answer), reach: guard.nearest };
}

/** Somebody has named what only the registry itself can reach, or its neighbours. */
export class TooNear extends Error {
  override readonly name = 'TooNear';
}

/** Looks at each address before anything is connected to it. */
class Guard {
  nearest: Reach = 'public';
  readonly #host: string;
  readonly #within: Reach;
  readonly #resolve: typeof dnsLookup;

  constructor({ hostname }: URL, within: Reach, resolve: typeof dnsLookup = dnsLookup) {
    this.#host = hostname.replace(/^\[(.*)\]$/, '$1');
    this.#within = within;
    this.#resolve = resolve;
    if (isIP(this.#host)) this.#admit(this.#host);
  }

  /** Where the environment names a proxy it is that one whose name is looked up: it has to know whom it asks. */
  readonly lookup: LookupFunction = (host, options, done) => {
    this.#resolve(host, { ...options, all: true }, (error, found) => {
      const why = error ?? (host === this.#host ? this.#refusalOf(found) : undefined);
      const [first] = found ?? [];
      if (why || !first) done(why ?? new Error(`${host} has no address`), '');
      else if (options.all) done(null, found);
      else done(null, first.address, first.family);
    });
  };

  #refusalOf(found: readonly LookupAddress[]): Error | undefined {
    try {
      for (const { address } of found) this.#admit(address);
      return undefined;
    } catch (refusal) {
      return refusal as Error;
    }
  }

  #admit(address: string): void {
    const reach = reachOf(address);
    const isFar = reach !== undefined && REACHES.indexOf(reach) <= REACHES.indexOf(this.#within);
    if (!isFar) throw new TooNear(`${address} is not to be asked by somebody who is ${this.#within}`);
    if (REACHES.indexOf(reach) > REACHES.indexOf(this.nearest)) this.nearest = reach;
  }
}

/** `undefined` for what nobody has to ask: the link, where clouds keep credentials, groups, and no address at all. */
export function reachOf(address: string): Reach | undefined {
  const inner = translated(address);
  if (inner !== undefined) return reachOf(inner);
  const family = isIPv6(address) ? 'ipv6' : 'ipv4';
  if (NOBODY.check(address, family)) return undefined;
  if (LOOPBACK.check(address, family)) return 'loopback';
  return PRIVATE.check(address, family) ? 'private' : 'public';
}

/** The address behind one that a NAT64 makes of it. https://www.rfc-editor.org/rfc/rfc6052 */
function translated(address: string): string | undefined {
  const [, high, low] = /^64:ff9b::(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,4})$/i.exec(address) ?? [];
  if (low === undefined) return undefined;
  const bits = Number.parseInt(high ?? '0', 16) * 0x1_0000 + Number.parseInt(low, 16);
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 0xff).join('.');
}

const NOBODY = blockListOf(
  ['0.0.0.0/8', '169.254.0.0/16', '192.0.0.0/24', '224.0.0.0/4', '240.0.0.0/4'],
  ['::/128', 'fe80::/10', 'fec0::/10', 'ff00::/8', '2001::/32', '2002::/16'],
);
const LOOPBACK = blockListOf(['127.0.0.0/8'], ['::1/128']);
const PRIVATE = blockListOf(
  ['10.0.0.0/8', '100.64.0.0/10', '172.16.0.0/12', '192.168.0.0/16', '198.18.0.0/15'],
  ['fc00::/7'],
);

/** Of networks; those of IPv4 are also found where an address of IPv6 maps to them. */
function blockListOf(ipv4: readonly string[], ipv6: readonly string[]): BlockList {
  const list = new BlockList();
  for (const [networks, family] of [
    [ipv4, 'ipv4'],
    [ipv6, 'ipv6'],
  ] as const) {
    for (const network of networks) {
      const [address = '', bits] = network.split('/');
      list.addSubnet(address, Number(bits), family);
    }
  }
  return list;
}

function send(url: URL, lookup: LookupFunction, signal: AbortSignal): Promise<IncomingMessage> {
  const headers = { Accept: 'application/json', 'User-Agent': 'stowage' };
  return new Promise((resolve, reject) => {
    const ask = url.protocol === 'https:' ? request : requestInClear;
    ask(url, { lookup, signal, headers }, resolve).on('error', reject).end();
  });
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_DOCUMENT_BYTES) throw new Error(`the answer is larger than ${MAX_DOCUMENT_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
