import { fileURLToPath } from 'node:url';
import type { BuildOptions } from 'esbuild';

/** How functions are bundled: by the esbuild of package.json, as modules, of which Node reads those that are imported.
 *  The bench of the cold start bundles with the same. */
export const BUNDLING = {
  bundle: true,
  splitting: true, // what is imported later, or never, is not read and compiled before the first answer
  format: 'esm',
  platform: 'node',
  target: 'node24',
  mainFields: ['module', 'main'],
  // Imported only where credentials come from elsewhere than the role of the function or host (SSO, a web identity, a login), or in
  // a browser: a tenth of the code, and none of it is ever reached.
  external: [
    ...[
      '@aws-sdk/nested-clients/*',
      '@aws-sdk/credential-provider-login',
      '@aws-sdk/credential-provider-sso',
    ],
    'bowser',
  ],
  alias: { '@smithy/core/event-streams': fileURLToPath(new URL('no-event-streams.ts', import.meta.url)) },
  minify: true,
  keepNames: true, // errors are told apart by name, and stack traces can be read
  sourcemap: 'external', // at hand for people, never loaded: parsing it slows a cold start
  sourcesContent: false, // the lines are enough; the sources are in the repository
  outExtension: { '.js': '.mjs' },
  chunkNames: 'chunk-[hash]',
} as const satisfies BuildOptions;

/** Of functions: Lambda gives them the credentials of their role in variables, so no other provider is ever asked. */
export const FUNCTION_BUNDLING = {
  ...BUNDLING,
  external: [
    ...BUNDLING.external,
    ...['http', 'ini', 'process', 'web-identity'].map((name) => `@aws-sdk/credential-provider-${name}`),
    '@smithy/credential-provider-imds',
  ],
} as const satisfies BuildOptions;

/** How Node runs the bundled host: young objects are collected early, because each holds on to 64 KiB of a body. Eight
 *  layers at once take 175 MB of memory instead of 240 (bench/stream-host). */
export const STREAM_HOST_NODE_FLAGS = ['--max-semi-space-size=2'] as const;

/** What fits into the memory of the stream host's unit: eight layers at once beside sixty slow ones take 210 MB of it, with the usual 64
 *  MiB for parts 270 (bench/stream-host). */
export const STREAM_HOST_BOUNDS = {
  STOWAGE_MAX_REQUESTS: '512',
  STOWAGE_PART_MEMORY_MIB: '40',
} as const;
