import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { algorithmOf, digestOf, parseDigest } from '../../functions/oci/digest.ts';
import { excessIn, MAX_JSON_DEPTH, MAX_JSON_VALUES } from '../../functions/oci/json-size.ts';
import { parseManifest } from '../../functions/oci/manifest.ts';
import { parseReference, parseRepositoryName, parseTag } from '../../functions/oci/reference.ts';

const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });

describe('a digest', () => {
  it('is what an algorithm of the registry makes of bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array(),
        fc.constantFrom('sha256' as const, 'sha512' as const),
        (bytes, algorithm) => {
          const digest = digestOf(algorithm, bytes);
          expect(digest).toBe(`${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`);
          expect(parseDigest(digest)).toBe(digest);
          expect(algorithmOf(digest)).toBe(algorithm);
        },
      ),
    );
  });

  it.each([
    '',
    ':',
    'sha256',
    'sha256:',
    'md5:d41d8cd98f00b204e9800998ecf8427e',
    'toString:aa',
    '__proto__:',
  ])('is not %j', (text) => expect(parseDigest(text)).toBeUndefined());

  it('has exactly its length of lower-case hex, and nothing before or after', () => {
    fc.assert(
      fc.property(hex(64), fc.constantFrom('x', 'A', ' ', '\n', '0', ''), (encoded, extra) => {
        const wrong = [`sha256:${extra}${encoded}`, `sha256:${encoded}${extra}`, `${extra}sha256:${encoded}`];
        for (const text of wrong) if (extra !== '') expect(parseDigest(text)).toBeUndefined();
        expect(parseDigest(`sha512:${encoded}`)).toBeUndefined();
        expect(parseDigest(`sha512:${encoded}${encoded}`)).toBeDefined();
      }),
    );
  });
});

describe('a repository name', () => {
  it.each(['a', 'a/b', 'a.b_c__d-e---f/0', 'x'.repeat(255)])('may be %j', (name) => {
    expect(parseRepositoryName(name)).toBe(name);
  });

  const invalid = [
    '',
    '/',
    'a/',
    '/a',
    'a//b',
    'A',
    'a___b',
    'a._b',
    '-a',
    'a-',
    'a..b',
    'a b',
    'ä',
    'a\n',
    'a/../b',
  ];
  it.each([...invalid, 'x'.repeat(256)])('may not be %j', (name) => {
    expect(parseRepositoryName(name)).toBeUndefined();
  });
});

describe('a reference', () => {
  it.each(['latest', '_', 'V1.0-rc_2', '1'.repeat(128), 'sha256-abc.sig'])('may be the tag %j', (tag) => {
    expect(parseReference(tag)).toEqual({ kind: 'tag', tag });
  });

  it.each(['', '.a', '-a', 'a b', 'a:b', 'a/b', 'a#b', '1'.repeat(129), 'sha256:abc', 'a\n'])(
    'may not be %j',
    (text) => {
      expect(parseReference(text)).toBeUndefined();
      expect(parseTag(text)).toBeUndefined();
    },
  );
});

describe('a manifest', () => {
  it('is refused with MANIFEST_INVALID or read, whatever the JSON is', () => {
    const types = [
      '',
      'application/vnd.oci.image.manifest.v1+json',
      'application/vnd.oci.image.index.v1+json',
      'text/x',
    ];
    const field = fc.constantFrom(
      'schemaVersion',
      'mediaType',
      'config',
      'layers',
      'manifests',
      'subject',
      'annotations',
    );
    const document = fc.dictionary(
      field,
      fc.oneof(fc.jsonValue(), fc.constant(2), fc.constantFrom(...types)),
    );
    fc.assert(
      fc.property(fc.oneof(document, fc.jsonValue()), fc.constantFrom(...types), (json, type) => {
        const outcome = attempt(() => parseManifest(Buffer.from(JSON.stringify(json)), type));
        expect(outcome).toMatch(/^(read|MANIFEST_INVALID)$/);
      }),
      { numRuns: 500 },
    );
  });

  it('is refused where its bytes are not UTF-8', () => {
    expect(attempt(() => parseManifest(Uint8Array.of(0xff, 0xfe), ''))).toBe('MANIFEST_INVALID');
  });
});

function attempt(act: () => unknown): string {
  try {
    act();
    return 'read';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

describe('what is too much JSON', () => {
  const excess = (text: string) => excessIn(Buffer.from(text));
  const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

  it('is no index of 10,000 images, nor an image of 5,000 layers with annotations', () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    const descriptor = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 7 };
    const annotations = { 'containerd.io/snapshot/stargz/toc.digest': digest, 'io.containers.size': '7' };
    const index = { schemaVersion: 2, manifests: Array.from({ length: 10_000 }, () => descriptor) };
    const layers = Array.from({ length: 5000 }, () => ({ ...descriptor, annotations }));
    expect(excess(JSON.stringify(index, null, 3))).toBeUndefined();
    expect(excess(JSON.stringify({ schemaVersion: 2, layers }))).toBeUndefined();
  });

  it('is told by the limits, to the value', () => {
    expect(excess(nested(MAX_JSON_DEPTH))).toBeUndefined();
    expect(excess(nested(MAX_JSON_DEPTH + 1))).toMatch('deep');
    expect(excess(`[${'1,'.repeat(MAX_JSON_VALUES - 1)}1]`)).toBeUndefined();
    expect(excess(`[${'1,'.repeat(MAX_JSON_VALUES)}1]`)).toMatch('values');
  });

  it('does not lie in strings, whatever they hold', () => {
    const text = (unit: string) => JSON.stringify([unit.repeat(MAX_JSON_VALUES)]);
    for (const unit of ['[', '{,', '\\', '"[', '\\"{', '\u0000,']) expect(excess(text(unit))).toBeUndefined();
    expect(excess(JSON.stringify({ a: '\\', b: nested(1) }))).toBeUndefined();
  });

  it('is never less than what a reader of JSON finds', () => {
    const count = (json: unknown): number =>
      typeof json === 'object' && json !== null
        ? Object.values(json).reduce((sum: number, value) => sum + count(value), 1)
        : 1;
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { minLength: 1 }), (json) => {
        const copies = Math.ceil((2 * MAX_JSON_VALUES) / count(json));
        expect(
          excess(`[${Array.from({ length: copies }, () => JSON.stringify(json)).join(',')}]`),
        ).toBeDefined();
      }),
      { numRuns: 20 },
    );
  });
});
