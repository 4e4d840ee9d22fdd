import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../test/free-port.ts';
import { writeDockerRegistryConfig } from './docker-registry-config.ts';
import type { Target } from './http/request.ts';

export const LOOPBACK = '127.0.0.1';

/** One of the two servers under comparison. */
export interface Server {
  readonly name: string;
  readonly target: Target;
  /** Absent where the server was started elsewhere: then CPU and memory are not known. */
  readonly pid?: number;
}

/** How a server is run on a directory. It can be started again once it has stopped. */
export interface Recipe {
  readonly name: string;
  readonly command: readonly string[];
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
  /** The working directory. */
  readonly root: string;
  /** The file that its output is added to. */
  readonly log: string;
}

/** A recipe on `directory`, which it makes, with an empty registry. */
export type RecipeMaker = (directory: string) => Promise<Recipe>;

/** The registry of the repository at `root`. */
export function stowage(root: string, moreSettings: Readonly<Record<string, string>> = {}): RecipeMaker {
  return async (directory) => {
    const port = await freePort();
    mkdirSync(directory);
    return {
      name: 'Stowage',
      command: [process.execPath, join(root, 'local', 'start.mjs')],
      port,
      settings: {
        ...moreSettings,
        STOWAGE_PORT: String(port),
        STOWAGE_DATA: join(directory, 'data'),
        // Like the registry it is compared with, it asks for no login.
        STOWAGE_OPEN: '1',
      },
      root,
      log: join(directory, 'log'),
    };
  };
}

/** A Node.js that opens a database and serves nothing. */
export function bareNode(root: string): RecipeMaker {
  return async (directory) => {
    const port = await freePort();
    mkdirSync(directory);
    return {
      name: 'Node.js',
      command: [process.execPath, join(root, 'bench', 'bare-node.mjs')],
      port,
      settings: { BENCH_PORT: String(port), BENCH_DATABASE: join(directory, 'bare.sqlite') },
      root,
      log: join(directory, 'log'),
    };
  };
}

/** The `docker-registry` on the PATH. */
export async function dockerRegistry(directory: string): Promise<Recipe> {
  const port = await freePort();
  mkdirSync(directory);
  const data = JSON.stringify(join(directory, 'data'));
  const config = writeDockerRegistryConfig({
    path: join(directory, 'config.yaml'),
    port,
    driver: ['filesystem:', `  rootdirectory: ${data}`],
  });
  const command = ['docker-registry', 'serve', config];
  return {
    name: 'docker-registry',
    command,
    port,
    settings: {},
    root: directory,
    log: join(directory, 'log'),
  };
}
