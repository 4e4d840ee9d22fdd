import { cpSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AssetHashType, DockerImage } from 'aws-cdk-lib';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import type { Construct } from 'constructs';
import { buildSync } from 'esbuild';
import { BUNDLING } from './bundle.ts';
import { fetchNode } from './node-binary.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** What the asset holds, and the host runs. */
export const STREAM_PROGRAM = { node: 'node', main: 'main.mjs' } as const;

/** The Node host and the Node that runs it, as one archive in the bucket that `cdk bootstrap` made. */
export function streamCode(scope: Construct, id: string): Asset {
  return new Asset(scope, id, {
    path: ROOT,
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      image: DockerImage.fromRegistry('none'), // named only because the CDK asks for one
      command: ['stream-host'],
      local: { tryBundle: pack },
    },
  });
}

function pack(directory: string): boolean {
  bundleHost(directory);
  const node = join(directory, STREAM_PROGRAM.node);
  mkdirSync(dirname(node), { recursive: true });
  cpSync(fetchNode(), node);
  return true;
}

/** Bundles `local/main.ts` as a program that needs nothing but Node. */
export function bundleHost(outdir: string): void {
  buildSync({ ...BUNDLING, absWorkingDir: ROOT, entryPoints: { main: 'local/main.ts' }, outdir });
}
