import { writeFileSync } from 'node:fs';

interface Place {
  /** Of the file. */
  readonly path: string;
  readonly port: number;
  /** The storage driver and its settings, in YAML. */
  readonly driver: readonly string[];
}

/** Writes a configuration for the CNCF registry and answers its path. It is Debian's, with what slows it taken out: no access
 *  log, no purge of old uploads, no health checks of the storage, no password. The cache of descriptors is Debian's. */
export function writeDockerRegistryConfig({ path, port, driver }: Place): string {
  const lines = [
    'version: 0.1',
    'log: { level: error, accesslog: { disabled: true } }',
    'storage:',
    '  cache: { blobdescriptor: inmemory }',
    ...driver.map((line) => `  ${line}`),
    '  delete: { enabled: true }',
    '  maintenance: { uploadpurging: { enabled: false } }',
    `http: { addr: 127.0.0.1:${port}, secret: bench }`,
    '',
  ];
  writeFileSync(path, lines.join('\n'));
  return path;
}
