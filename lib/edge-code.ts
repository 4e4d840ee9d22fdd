import { readFileSync } from 'node:fs';
import { transformSync } from 'esbuild';

export type EdgeEvent = 'viewer-request' | 'viewer-response';

/** Ours: CloudFront's quota says "10 KB", and does not say whether these are 10,000 bytes or 10,240. */
const MAX_BYTES = 10_000;

/** CloudFront looks for the imports; they stay as they are, and in front. */
const IMPORTS = /^(?:import \w+ from '\w+';\n)*/;

/** What the code has to know of its distribution. */
export interface EdgeSettings {
  /** Whether there is a stream host to send bodies of unknown or great length to. @default false */
  readonly streamHost?: boolean;
}

/** The code of a CloudFront Function as it is deployed: a file of `edge/` without comments, white space and long names of
 *  variables, in the grammar that it was written in. The names of functions stay. Fails above 10,000 bytes. */
export function edgeCode(event: EdgeEvent, settings?: EdgeSettings): string {
  return edgeCodeOf(readFileSync(new URL(`../edge/${event}.js`, import.meta.url), 'utf8'), settings);
}

/** As `edgeCode`, of a source. */
export function edgeCodeOf(source: string, { streamHost = false }: EdgeSettings = {}): string {
  const bare = source.replace(/^(?:\/\/.*\n|\/\*.*\*\/\n|\n)*/, '');
  const [imports = ''] = IMPORTS.exec(bare) ?? [];
  const { code } = transformSync(bare.slice(imports.length), {
    minifyWhitespace: true,
    minifyIdentifiers: true,
    charset: 'utf8',
    legalComments: 'none',
    define: { STREAM_HOST: `${streamHost}` },
  });
  const bytes = Buffer.byteLength(imports + code);
  if (bytes > MAX_BYTES) throw new Error(`a function of the edge has ${bytes} bytes, over ${MAX_BYTES}`);
  return imports + code;
}
