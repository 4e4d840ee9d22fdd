/** What the thread of a server does, as a reader knows it. */
export type Part = (typeof PARTS)[number];

/** In the order of the report. */
export const PARTS = [
  'SHA-256',
  'event loop, reading sockets',
  'HTTP, writing sockets',
  'Request and Response',
  'files',
  'SQLite',
  'AWS SDK',
  'our own code and JSON',
  'garbage',
  'other',
] as const;

/** A CPU profile as V8 hands it out. */
export interface RawProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Where a function lies says what it does. Time in SQLite itself counts for the one file that calls it. */
const PLACES: readonly (readonly [RegExp, Part])[] = [
  [/\/local\/sqlite-table\.ts$/, 'SQLite'],
  [/^wasm:|\/hash-wasm\//, 'SHA-256'],
  [/\/@(?:aws-sdk|smithy|aws-crypto)\//, 'AWS SDK'],
  [/\/(?:functions|local)\//, 'our own code and JSON'],
  [/^node:internal\/crypto/, 'SHA-256'],
  [/^node:(?:internal\/)?fs/, 'files'],
  [/undici|webstreams|^node:internal\/(?:url|abort)/, 'Request and Response'],
  [/^node:(?:_http|net|events|internal\/(?:http|net|streams?|stream_base))/, 'HTTP, writing sockets'],
];

/** Shares of the samples in which the thread was not idle. */
export function partsOf({ nodes, samples, timeDeltas }: RawProfile): ReadonlyMap<Part, number> {
  const parts = partOfEachNode(nodes);
  const times = new Map<Part, number>(PARTS.map((part) => [part, 0]));
  let total = 0;
  for (const [index, id] of samples.entries()) {
    const part = parts.get(id);
    const time = timeDeltas[index] ?? 0;
    if (part === undefined) continue;
    times.set(part, (times.get(part) ?? 0) + time);
    total += time;
  }
  return new Map([...times].map(([part, time]) => [part, time / total]));
}

/** Milliseconds in which the thread was not idle. */
export function busyMilliseconds({ nodes, samples, timeDeltas }: RawProfile): number {
  const idle = new Set(
    nodes.filter(({ callFrame }) => callFrame.functionName === '(idle)').map(({ id }) => id),
  );
  const busy = timeDeltas.filter((_, index) => !idle.has(samples[index] ?? 0));
  return busy.reduce((sum, microseconds) => sum + microseconds, 0) / 1000;
}

/** Native code has no place: it is its caller's. Idle nodes have no part. */
function partOfEachNode(nodes: RawProfile['nodes']): ReadonlyMap<number, Part> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parts = new Map<number, Part>();
  const visit = (id: number, callers: Part) => {
    const node = byId.get(id);
    if (node === undefined || node.callFrame.functionName === '(idle)') return;
    const part = partOf(node.callFrame, callers);
    parts.set(id, part);
    for (const child of node.children ?? []) visit(child, part);
  };
  visit(nodes[0]?.id ?? 0, 'other');
  return parts;
}

function partOf({ functionName, url }: RawProfile['nodes'][number]['callFrame'], callers: Part): Part {
  if (functionName === '(garbage collector)') return 'garbage';
  // Native code that no JavaScript has called: libuv, which reads sockets into memory.
  if (functionName === '(program)') return 'event loop, reading sockets';
  if (url === '') return callers;
  return PLACES.find(([place]) => place.test(url))?.[1] ?? 'other';
}
