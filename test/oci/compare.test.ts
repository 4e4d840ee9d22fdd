import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareImages } from '../../functions/oci/compare.ts';
import { type ImageContent, imageContentOf, type Layer } from '../../functions/oci/image-view.ts';
import { compareVersions } from '../../functions/oci/version-order.ts';

interface Step {
  readonly line: string;
  /** Absent of a line without a layer. */
  readonly layer?: number | undefined;
}

const layerOf = (id: number): Layer => ({
  digest: `sha256:${`${id}`.padStart(64, '0')}`,
  size: id * 100,
  mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
});

function imageOf(steps: readonly Step[], config: object = {}): ImageContent {
  const history = steps.map(({ line, layer }) => ({ created_by: line, empty_layer: layer === undefined }));
  const layers = steps.flatMap(({ layer }) => (layer === undefined ? [] : [layerOf(layer)]));
  return imageContentOf(layers, Buffer.from(JSON.stringify({ os: 'linux', history, config })));
}

const steps = fc.array(
  fc.record({
    line: fc.constantFrom('RUN a', 'RUN b', 'COPY c', 'ENV d=1'),
    layer: fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
  }),
  { maxLength: 12 },
);

it('an image whose builder wrote the zero time of Go has no time', () => {
  const config = (created: string) =>
    Buffer.from(JSON.stringify({ created, history: [{ created, created_by: 'RUN a' }] }));
  const none = imageContentOf([layerOf(1)], config('0001-01-01T00:00:00Z'));
  expect(JSON.stringify(none)).not.toContain('createdAt');
  const some = imageContentOf([layerOf(1)], config('1970-01-01T00:00:00Z'));
  expect(some.config?.createdAt).toBe('1970-01-01T00:00:00.000Z');
});

describe('the comparison of two images', () => {
  it('adds up to the difference of their sizes, has every layer once, and is the mirror of the other way', () => {
    fc.assert(
      fc.property(steps, steps, (left, right) => {
        const [a, b] = [imageOf(left), imageOf(right)];
        const there = compareImages(a, b);
        const back = compareImages(b, a);
        const total = (rows: typeof there.rows) => rows.reduce((sum, { bytes }) => sum + bytes, 0);
        expect(total(there.rows)).toBe(there.bytes);
        expect(there.rows.flatMap((row) => row.a ?? [])).toEqual(a.layers);
        expect(there.rows.flatMap((row) => row.b ?? [])).toEqual(b.layers);
        expect(back.bytes).toBe(-there.bytes || 0);
        const count = (rows: typeof there.rows, is: string) => rows.filter((row) => row.is === is).length;
        for (const is of ['same', 'changed']) expect(count(back.rows, is)).toBe(count(there.rows, is));
        expect(count(back.rows, 'added')).toBe(count(there.rows, 'removed'));
        const both = there.rows.filter(({ is }) => is === 'same' || is === 'changed');
        expect(both.map(({ a, b }) => a?.digest === b?.digest)).toEqual(both.map(({ is }) => is === 'same'));
      }),
    );
  });

  it('of an image with itself has nothing but what is the same', () => {
    fc.assert(
      fc.property(steps, (some) => {
        const { bytes, rows, config } = compareImages(imageOf(some), imageOf(some));
        expect({ bytes, config }).toEqual({ bytes: 0, config: [] });
        expect(rows.every(({ is }) => is === 'same')).toBe(true);
      }),
    );
  });

  it('tells a line that made another layer from one that is new, and names what the config changed', () => {
    const a = imageOf(
      [
        { line: '/bin/sh -c #(nop) ADD file:1 in / ', layer: 1 },
        { line: 'RUN /bin/sh -c npm ci # buildkit', layer: 2 },
      ],
      { User: 'root', Env: ['PATH=/bin'], Labels: { revision: '11c' } },
    );
    const b = imageOf(
      [
        { line: '/bin/sh -c #(nop) ADD file:1 in / ', layer: 1 },
        { line: 'ENV X=1' },
        { line: 'RUN /bin/sh -c npm ci # buildkit', layer: 5 },
      ],
      {
        User: '65532',
        Env: ['PATH=/bin', 'X=1'],
        ExposedPorts: { '80/tcp': {} },
        Labels: { revision: '3ab' },
      },
    );
    const { rows, config, bytes } = compareImages(a, b);
    expect(bytes).toBe(300);
    expect(rows).toMatchObject([
      { is: 'same', line: 'ADD file:1 in /', bytes: 0 },
      { is: 'added', line: 'ENV X=1', bytes: 0 },
      { is: 'changed', line: 'RUN npm ci', bytes: 300 },
    ]);
    expect(config).toEqual([
      { field: 'user', a: 'root', b: '65532' },
      { field: 'label revision', a: '11c', b: '3ab' },
      { field: 'port 80/tcp', b: '80/tcp' },
      { field: 'env X', b: '1' },
    ]);
  });

  it('shows layers without lines where the history has another number of them', () => {
    const layers = [layerOf(1), layerOf(2)];
    const history = [{ created_by: 'RUN a' }];
    const odd = imageContentOf(layers, Buffer.from(JSON.stringify({ history })));
    expect(odd).toMatchObject({ aligned: false, layers });
    expect(imageContentOf(layers, Buffer.from('no JSON'))).toMatchObject({ aligned: false, layers });
    expect(imageContentOf(layers, undefined)).toMatchObject({ config: { tooLarge: true }, aligned: false });
  });
});

describe('the order of versions', () => {
  const tags = fc.oneof(
    fc.stringMatching(/^v?\d{1,3}(\.\d{1,3}){0,3}(-(rc|beta|alpine)\.?\d{0,2})?$/),
    fc.stringMatching(/^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,10}$/),
  );

  it('is total and stable, on odd tags too', () => {
    fc.assert(
      fc.property(tags, tags, tags, (a, b, c) => {
        const sign = (x: string, y: string) => Math.sign(compareVersions(x, y));
        expect(sign(a, b)).toBe(-sign(b, a) || 0);
        expect(sign(a, b) === 0).toBe(a === b);
        if (sign(a, b) <= 0 && sign(b, c) <= 0) expect(sign(a, c)).toBeLessThanOrEqual(0);
      }),
    );
  });

  it('reads numbers as such, and a pre-release before its release', () => {
    const ordered = [
      '0.9',
      '1.0-alpha.1',
      '1.0-beta',
      'v1.0-rc.1',
      'v1.0-rc.2',
      '1.0',
      '1.0-alpine',
      '1.0.1',
      '1.2',
      '1.10',
      '2',
    ];
    expect(ordered.toReversed().sort(compareVersions)).toEqual(ordered);
  });
});
