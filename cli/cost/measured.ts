import measured from './measured.json' with { type: 'json' };

export type OperationName = keyof typeof measured.operations;

/** What AWS bills for one operation, as test/aws/calls.test.ts measured it. */
export interface Units {
  readonly reads: number;
  readonly writes: number;
  readonly puts: number;
  readonly gets: number;
}

export const unitsOf = (operation: OperationName): Units => measured.operations[operation];

const KINDS = ['reads', 'writes', 'puts', 'gets'] as const;

/** What was measured of manifests, by the number of their layers. */
const MANIFESTS = Object.entries(measured.operations)
  .flatMap(([name, units]) => {
    const [, layers] = /^PUT manifest, (\d+) layers?$/.exec(name) ?? [];
    return layers === undefined ? [] : [{ layers: Number(layers), units }];
  })
  .sort((a, b) => a.layers - b.layers);

/** A push of a manifest with any number of layers: on the line between the two that were measured nearest to it. */
export function manifestUnits(layers: number): Units {
  const above = MANIFESTS.findIndex((point) => point.layers >= layers);
  const end = Math.max(1, above < 0 ? MANIFESTS.length - 1 : above);
  const [low, high] = MANIFESTS.slice(end - 1, end + 1);
  if (!low || !high) throw new Error('two manifests at least have to be measured');
  const part = (layers - low.layers) / (high.layers - low.layers);
  const between = KINDS.map((kind) => [
    kind,
    Math.max(0, low.units[kind] + part * (high.units[kind] - low.units[kind])),
  ]);
  return Object.fromEntries(between);
}
