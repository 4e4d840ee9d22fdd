import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RegistryError } from '../../functions/oci/errors.ts';
import { parseManifest } from '../../functions/oci/manifest.ts';
import { scratch } from '../scratch.ts';

// Every client but few decodes manifests with Go. Whatever is taken here, a Go program with the types of the image specification
// must be able to read, and read the same in it.

const DIGEST = `sha256:${'1'.repeat(64)}`;
const OTHER = `sha256:${'2'.repeat(64)}`;
const TYPES = {
  image: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
};

/** JSON as text: only so can numbers be written in several ways, and keys stand twice. */
type Text = string;

const anything: fc.Arbitrary<Text> = fc.oneof(
  fc.constantFrom(
    'null',
    'true',
    '0',
    '2',
    '2.0',
    '1e2',
    '-0',
    '9007199254740993',
    '1e999',
    '""',
    '"x"',
    '"e30="',
    '"e30"',
  ),
  fc.constantFrom(
    '[]',
    '{}',
    '["x"]',
    '[1]',
    '[null]',
    '{"a":"b"}',
    '{"a":1}',
    '{"a":null}',
    '{"":"b"}',
    '{"a":"b","a":"c"}',
  ),
  fc.json({ maxDepth: 2 }),
);

/** Now and then something else than what belongs there. */
const mostly = (right: fc.Arbitrary<Text>) =>
  fc.oneof({ weight: 30, arbitrary: right }, { weight: 1, arbitrary: anything });

const texts = fc.oneof(
  fc.constantFrom('null', '{}', '{"a":"b"}', '{"":""}', '{"a":null}'),
  fc.dictionary(fc.string(), fc.string()).map((entries) => JSON.stringify(entries)),
);

const FOLDS: Readonly<Record<string, string>> = { s: '\u017f', k: '\u212a', S: '\u017f', K: '\u212a' };

/** A key as it is, now and then in another case. */
const spelled = (key: string) =>
  fc.oneof(
    { weight: 60, arbitrary: fc.constant(key) },
    { weight: 1, arbitrary: fc.constantFrom(key.toUpperCase(), key[0]?.toUpperCase() + key.slice(1)) },
    { weight: 1, arbitrary: fc.constant(key.replaceAll(/[sk]/gi, (letter) => FOLDS[letter] ?? letter)) },
  );

/** An object with these members, each now and then left out or there twice, and others that nobody knows. */
function objectWith(members: Readonly<Record<string, fc.Arbitrary<Text>>>): fc.Arbitrary<Text> {
  const written = Object.entries(members).map(([key, value]) =>
    fc
      .tuple(spelled(key), mostly(value), mostly(value), fc.constantFrom(...Array(20).fill(1), 0, 2))
      .map(([name, one, other, times]) =>
        [one, other].slice(0, times).map((text) => `${JSON.stringify(name)}:${text}`),
      ),
  );
  const unknown = fc
    .tuple(fc.constantFrom('foo', 'constructor', '__proto__', 'sizes', 'x'), anything)
    .map(([key, value]) => [`"${key}":${value}`]);
  return fc
    .tuple(fc.tuple(...written), fc.option(unknown, { nil: [] }))
    .map(([known, more]) => `{${[...known.flat(), ...more].join(', ')}}`);
}

const platform = objectWith({
  architecture: fc.constant('"amd64"'),
  os: fc.constant('"linux"'),
  'os.version': fc.constant('"10.0"'),
  'os.features': fc.constantFrom('["win32k"]', '[]', 'null', '[null]'),
  variant: fc.constant('"v8"'),
});

const descriptorOf = (mediaType: string) =>
  objectWith({
    mediaType: fc.constant(JSON.stringify(mediaType)),
    digest: fc.constantFrom(DIGEST, OTHER).map((digest) => JSON.stringify(digest)),
    size: fc.constantFrom('5', '5', '5', '5.0'),
    urls: fc.constantFrom('["https://registry.example/x"]', 'null'),
    annotations: texts,
    data: fc.constantFrom('"e30="', '"e3\\n0="', '""', 'null', '"e30"', '"====", "foo": ""'),
    platform: fc.oneof(platform, fc.constant('null')),
    artifactType: fc.constant('"a/b"'),
  });

const blob = descriptorOf('application/vnd.oci.image.layer.v1.tar');
const listOf = (entry: fc.Arbitrary<Text>) =>
  fc.oneof(
    fc.array(entry, { maxLength: 3 }).map((entries) => `[${entries.join()}]`),
    fc.constant('null'),
  );

const image = objectWith({
  schemaVersion: fc.constant('2'),
  mediaType: fc.constant(JSON.stringify(TYPES.image)),
  config: blob,
  layers: listOf(blob),
  subject: descriptorOf(TYPES.image),
  annotations: texts,
  artifactType: fc.constant('"a/b"'),
}).map((text) => ({ text, contentType: TYPES.image }));

const index = objectWith({
  schemaVersion: fc.constant('2'),
  mediaType: fc.constant(JSON.stringify(TYPES.index)),
  manifests: listOf(descriptorOf(TYPES.image)),
  annotations: texts,
}).map((text) => ({ text, contentType: TYPES.index }));

const MARKED = fc.oneof(
  { weight: 50, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: fc.constant('\ufeff') },
);

function isTaken(bytes: Uint8Array, contentType: string): readonly string[] | undefined {
  try {
    return parseManifest(bytes, contentType).references.map(({ digest, size }) => `${digest} ${size}`);
  } catch (error) {
    if (error instanceof RegistryError && error.status === 400) return undefined;
    throw error;
  }
}

function hasGo(): boolean {
  try {
    execFileSync('go', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const COUNT = 20_000;
const isAbsent = !hasGo() && process.env['STOWAGE_REQUIRE_CLIENTS'] === undefined;

it.skipIf(isAbsent)(
  `takes no manifest that Go cannot decode, or reads otherwise, of ${COUNT}${isAbsent ? ' (skipped: there is no Go)' : ''}`,
  { timeout: 300_000 },
  async () => {
    const program = join(await scratch(), 'decoder');
    execFileSync('go', ['build', '-o', program, '.'], { cwd: join(import.meta.dirname, 'go-decoder') });
    const sent = fc.sample(fc.tuple(MARKED, fc.oneof(image, index)), COUNT);
    const cases = sent.map(([mark, { text, contentType }]) => {
      const bytes = Buffer.from(mark + text);
      return { text, bytes, taken: isTaken(bytes, contentType) };
    });
    const input = cases.map(({ bytes }) => `${bytes.toString('base64')}\n`).join('');
    const answers = execFileSync(program, { input, maxBuffer: 1 << 30 })
      .toString()
      .trim()
      .split('\n');
    const read = answers.map((line) => JSON.parse(line) as { error?: string; references: string[] });
    const taken = cases.flatMap((one, at) => (one.taken ? [{ ...one, read: read[at] }] : []));
    for (const { text, taken: ours, read: theirs } of taken) {
      expect(theirs?.error, text).toBeUndefined();
      expect(new Set(theirs?.references), text).toEqual(new Set(ours));
    }
    // Else the test would say nothing.
    expect(taken.length).toBeGreaterThan(COUNT / 20);
    const refused = read.filter(({ error }) => error !== undefined).length;
    expect(refused).toBeGreaterThan(COUNT / 20);
  },
);
