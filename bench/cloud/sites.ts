import { join } from 'node:path';
import { findProgram } from '../../test/clients/command.ts';
import { freePort } from '../../test/free-port.ts';
import { writeDockerRegistryConfig } from '../docker-registry-config.ts';
import { inspectedCommand } from '../profile.ts';
import type { ServerGroup } from '../server-group.ts';
import type { Server } from '../servers.ts';
import { BUCKET, CREDENTIALS, REGION } from './settings.ts';
import type { CloudStores } from './stores.ts';

/** What answers alike, on the same data. */
type Family = 'stowage' | 'cncf';

/** A registry under comparison, on the stores that all share. */
export interface Site extends Server {
  readonly id: string;
  readonly family: Family;
  /** The most bytes that one request may carry. */
  readonly chunkBytes: number;
  readonly stores: CloudStores;
  /** The program that collects garbage, and its configuration; absent where it needs none. */
  readonly collector?: { readonly program: string; readonly config: (rootDirectory: string) => string };
  /** Whether it deletes a tag without its manifest. */
  readonly deletesTags: boolean;
}

interface SiteStart {
  readonly root: string;
  readonly workspace: string;
  readonly group: ServerGroup;
  readonly stores: CloudStores;
  /** Where Go programs are that were made for this. */
  readonly programs: string;
}

const LAMBDA_BYTES = 4 * 1024 * 1024;

/** Starts all registries that are to be had here. `skipped` says which are not. */
export async function startSites(
  start: SiteStart,
): Promise<{ sites: readonly Site[]; skipped: readonly string[] }> {
  const old = await findProgram('docker-registry', process.env['PATH'] ?? '');
  const recent = await findProgram('registry', start.programs);
  if (!old) throw new Error('docker-registry is not installed');
  return {
    sites: [
      await startNodeHost(start),
      await startLambda(start),
      await startDockerRegistry(start, {
        id: 'v2',
        name: 'docker-registry 2.8',
        program: old,
        deletesTags: false,
      }),
      ...(recent
        ? [
            await startDockerRegistry(start, {
              id: 'v3',
              name: 'distribution 3',
              program: recent,
              deletesTags: true,
            }),
          ]
        : []),
    ],
    skipped: recent ? [] : ['distribution 3: it was not built; is there Go, and its module proxy?'],
  };
}

/** `inspected` is the port at which a profiler gets in. */
export async function startNodeHost(
  { root, workspace, group, stores }: Omit<SiteStart, 'programs'>,
  inspected?: number,
): Promise<Site> {
  const port = await freePort();
  const command = [process.execPath, join(root, 'local/start.mjs')];
  const server = await group.start({
    name: 'Stowage, Node host',
    command: inspected === undefined ? command : inspectedCommand(command, inspected),
    port,
    settings: { ...stores.environment, STOWAGE_STORE: 'aws', STOWAGE_PORT: `${port}` },
    root,
    log: join(workspace, 'node-host.log'),
  });
  return {
    ...server,
    id: 'node',
    family: 'stowage',
    chunkBytes: Number.POSITIVE_INFINITY,
    stores,
    deletesTags: true,
  };
}

async function startLambda({ root, workspace, group, stores }: SiteStart): Promise<Site> {
  const port = await freePort();
  const server = await group.start({
    name: 'Stowage, Lambda',
    command: [process.execPath, join(import.meta.dirname, 'processes/lambda.ts'), `${port}`],
    port,
    settings: stores.environment,
    root,
    log: join(workspace, 'lambda.log'),
  });
  return { ...server, id: 'lambda', family: 'stowage', chunkBytes: LAMBDA_BYTES, stores, deletesTags: true };
}

interface Cncf {
  readonly id: string;
  readonly name: string;
  readonly program: string;
  readonly deletesTags: boolean;
}

async function startDockerRegistry(
  { workspace, group, stores }: SiteStart,
  { id, name, program, deletesTags }: Cncf,
): Promise<Site> {
  const port = await freePort();
  const config = (rootDirectory: string) =>
    writeDockerRegistryConfig({
      path: join(workspace, `${id}${rootDirectory.replaceAll('/', '-')}.yaml`),
      port,
      driver: s3Driver(stores.s3Url, rootDirectory),
    });
  const server = await group.start({
    name,
    command: [program, 'serve', config('/main')],
    port,
    settings: NO_CA_BUNDLE,
    root: workspace,
    log: join(workspace, `${id}.log`),
  });
  return {
    ...server,
    id,
    family: 'cncf',
    chunkBytes: Number.POSITIVE_INFINITY,
    stores,
    collector: { program, config },
    deletesTags,
  };
}

const s3Driver = (endpoint: string, rootDirectory: string) => [
  's3:',
  `  accesskey: ${CREDENTIALS.accessKeyId}`,
  `  secretkey: ${CREDENTIALS.secretAccessKey}`,
  `  region: ${REGION}`,
  `  regionendpoint: ${endpoint}`,
  '  forcepathstyle: true',
  '  secure: false',
  `  bucket: ${BUCKET}`,
  `  rootdirectory: ${rootDirectory}`,
];

/** The SDK in docker-registry 2.8 fails where somebody's environment names one. */
export const NO_CA_BUNDLE = { AWS_CA_BUNDLE: '' };
