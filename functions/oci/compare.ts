import type { ConfigView, ImageContent, Layer } from './image-view.ts';

/** What is between two images. */
export interface Comparison {
  /** How much larger `b` is than `a`. */
  readonly bytes: number;
  readonly rows: readonly ComparedRow[];
  /** Fields of the config that differ; what one of the two lacks is absent. */
  readonly config: readonly ConfigChange[];
}

export interface ComparedRow {
  /** `changed`: the same line made another layer. */
  readonly is: 'same' | 'changed' | 'added' | 'removed';
  readonly line?: string;
  /** Absent of a line without a layer. */
  readonly a?: Layer;
  readonly b?: Layer;
  /** How much larger this part of `b` is. */
  readonly bytes: number;
}

interface ConfigChange {
  /** `user`, `env PATH`, `label org.example`. */
  readonly field: string;
  readonly a?: string;
  readonly b?: string;
}

/** One line of what made an image, with its layer where it has one. */
interface Line {
  readonly line?: string;
  readonly layer?: Layer;
}

/** Ours: lines of either image that are compared line by line; of more, the layers are compared by place. */
const MAX_LINES = 200;

/** What became of `a` in `b`, in the order of the lines; the sizes of the rows add up to `bytes`. */
export function compareImages(a: ImageContent, b: ImageContent): Comparison {
  const [left, right] = [linesOf(a), linesOf(b)];
  const pairs =
    left.length > MAX_LINES || right.length > MAX_LINES ? byPlace(left, right) : byLines(left, right);
  return {
    bytes: bytesOf(b) - bytesOf(a),
    rows: pairs.flatMap(rowsOf),
    config: configChanges(a.config, b.config),
  };
}

const bytesOf = ({ layers }: ImageContent) => layers.reduce((sum, { size }) => sum + size, 0);

function linesOf({ layers, emptyLines, aligned }: ImageContent): readonly Line[] {
  const empty = aligned || layers.length === 0 ? emptyLines : [];
  const before = (at: number) => empty.filter((each) => each.at === at).map(({ line }): Line => ({ line }));
  const withLayer = (layer: Layer): Line => ({
    ...(layer.line !== undefined && { line: layer.line }),
    layer,
  });
  return [...layers.flatMap((layer, at) => [...before(at), withLayer(layer)]), ...before(layers.length)];
}

/** What two lines have in common: their layer, or what made it. */
const isSame = (a: Line, b: Line) =>
  a.layer || b.layer ? a.layer?.digest === b.layer?.digest : a.line === b.line;
const isAkin = (a: Line, b: Line) =>
  isSame(a, b) ||
  (a.line !== undefined && a.line === b.line && (a.layer === undefined) === (b.layer === undefined));

type Pair = readonly [Line | undefined, Line | undefined];

/** The same layer counts more than any number of same lines. */
const worthOf = (a: Line, b: Line) => (isSame(a, b) ? MAX_LINES + 1 : Number(isAkin(a, b)));

/** The pairs of a longest common sequence, and between them what stands alone. */
function byLines(left: readonly Line[], right: readonly Line[]): readonly Pair[] {
  const best = bestFrom(left, right);
  const at = (i: number, j: number) => best[i]?.[j] ?? 0;
  const pairs: Pair[] = [];
  let [i, j] = [0, 0];
  const pushPair = (a: Line | undefined, b: Line | undefined) => {
    pairs.push([a, b]);
    i += Number(a !== undefined);
    j += Number(b !== undefined);
  };
  for (let [a, b] = [left[0], right[0]]; a && b; [a, b] = [left[i], right[j]]) {
    const paired = worthOf(a, b);
    if (paired > 0 && at(i, j) === paired + at(i + 1, j + 1)) pushPair(a, b);
    else if (at(i + 1, j) >= at(i, j + 1)) pushPair(a, undefined);
    else pushPair(undefined, b);
  }
  for (const a of left.slice(i)) pushPair(a, undefined);
  for (const b of right.slice(j)) pushPair(undefined, b);
  return pairs;
}

/** What the best pairs of the rest are worth, from each place on. */
function bestFrom(left: readonly Line[], right: readonly Line[]): readonly Uint32Array[] {
  const best = [...left, undefined].map(() => new Uint32Array(right.length + 1));
  const at = (i: number, j: number) => best[i]?.[j] ?? 0;
  for (const [i, a] of [...left.entries()].toReversed()) {
    for (const [j, b] of [...right.entries()].toReversed()) {
      const paired = worthOf(a, b);
      const together = paired > 0 ? paired + at(i + 1, j + 1) : 0;
      (best[i] as Uint32Array)[j] = Math.max(together, at(i + 1, j), at(i, j + 1));
    }
  }
  return best;
}

/** Same from the beginning on, as far as that goes; then one after the other. */
function byPlace(left: readonly Line[], right: readonly Line[]): readonly Pair[] {
  const shared = left.findIndex((line, index) => !right[index] || !isSame(line, right[index]));
  const same = shared < 0 ? left.length : shared;
  return [
    ...left.slice(0, same).map((line, index): Pair => [line, right[index]]),
    ...left.slice(same).map((line): Pair => [line, undefined]),
    ...right.slice(same).map((line): Pair => [undefined, line]),
  ];
}

function rowsOf([a, b]: Pair): readonly ComparedRow[] {
  const line = b?.line ?? a?.line;
  const parts = {
    ...(line !== undefined && { line }),
    ...(a?.layer && { a: a.layer }),
    ...(b?.layer && { b: b.layer }),
    bytes: (b?.layer?.size ?? 0) - (a?.layer?.size ?? 0),
  };
  if (!a) return [{ is: 'added', ...parts }];
  if (!b) return [{ is: 'removed', ...parts }];
  return [{ is: isSame(a, b) ? 'same' : 'changed', ...parts }];
}

/** A config as fields of text, one for each variable and label. */
function fieldsOf(config: ConfigView): ReadonlyMap<string, string> {
  const { env, labels, ports, volumes, entrypoint, cmd, healthcheck } = config;
  const one = (field: string, text: string | undefined) => (text ? [[field, text] as const] : []);
  const list = (field: string, texts: readonly string[] | undefined) =>
    one(field, texts && JSON.stringify(texts));
  return new Map([
    ...one('os', config.os),
    ...one('architecture', [config.architecture, config.variant].filter(Boolean).join('/')),
    ...list('entrypoint', entrypoint),
    ...list('cmd', cmd),
    ...one('user', config.user),
    ...one('workdir', config.workdir),
    ...one('stopSignal', config.stopSignal),
    ...list('healthcheck', healthcheck),
    ...ports.map((port) => [`port ${port}`, port] as const),
    ...volumes.map((volume) => [`volume ${volume}`, volume] as const),
    ...env.map((text) => [`env ${text.split('=', 1)[0]}`, text.slice(text.indexOf('=') + 1)] as const),
    ...Object.entries(labels).map(([name, text]) => [`label ${name}`, text] as const),
  ]);
}

function configChanges(a: ConfigView, b: ConfigView): readonly ConfigChange[] {
  if (a.tooLarge || b.tooLarge) return [];
  const [left, right] = [fieldsOf(a), fieldsOf(b)];
  return [...new Set([...left.keys(), ...right.keys()])].flatMap((field) => {
    const [was, is] = [left.get(field), right.get(field)];
    if (was === is) return [];
    return [{ field, ...(was !== undefined && { a: was }), ...(is !== undefined && { b: is }) }];
  });
}
