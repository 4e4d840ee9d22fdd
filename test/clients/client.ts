import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type CommandOptions, type Environment, run } from './command.ts';
import type { Layout, TestImages } from './image.ts';
import { TAG } from './layout.ts';
import type { Credentials, Registry } from './registry.ts';

export type Kind = 'image' | 'index';

/** Something to push or pull, and where. */
export interface Parcel {
  readonly kind: Kind;
  /** Of the files that belong to it on the desk. */
  readonly name: string;
  readonly layout: Layout;
  readonly repository: string;
  /** Host, repository and tag, as every client wants to be told. */
  readonly reference: string;
}

/** What a client sent or received: the digest it names, and the digests by which it knows the contents. */
export interface Copy {
  readonly digest: string;
  readonly contents: readonly string[];
}

/** What only this client is asked, once its image is pulled back. */
export interface ExtraCheck {
  readonly what: string;
  run(image: Copy): Promise<void>;
}

/** A client with its daemon, if it has one, up and with nothing in its store. */
export interface Session {
  readonly version: string;
  /** From here on it acts with these credentials. */
  login(credentials: Credentials): Promise<void>;
  /** From here on it acts without any. */
  logout(): Promise<void>;
  /** Sends what it has; making or importing it in its own store is part of this. */
  push(parcel: Parcel): Promise<Copy>;
  /** Removes the local copy, and may remove all else; rejects if anything of it is left. */
  remove(parcel: Parcel): Promise<void>;
  pull(parcel: Parcel): Promise<Copy>;
  readonly extras: readonly ExtraCheck[];
  close(): Promise<void>;
}

/** A row of the table in `clients.ts`. */
export interface Client {
  readonly name: string;
  /** The request that carries a whole blob. */
  readonly sends: 'PUT' | 'PATCH';
  /** Whether it knows nothing of indexes. @default false */
  readonly hasNoIndex?: boolean;
  /** Whether it only keeps a password, so that a wrong one fails the next push. @default false */
  readonly loginIsBlind?: boolean;
  /** Whether it prints of a refusal the status line only, which has the registry's words where the host speaks
   *  HTTP/1.1 by itself. @default false */
  readonly refusedByStatus?: boolean;
  /** Whether only a version of today can do this, which `--modern` brings. @default false */
  readonly isModern?: boolean;
  /** Absent if one of these is not on the PATH, and Go cannot make it. */
  readonly programs: readonly string[];
  open(desk: Desk): Promise<Session>;
}

export interface DeskOptions {
  readonly registry: Registry;
  readonly images: TestImages;
  /** Before the repositories' names; new for each run. */
  readonly prefix: string;
  readonly path: string;
}

/** What a client works with: the registry, the images, a directory and an environment of its own. */
export class Desk {
  readonly client: string;
  readonly directory: string;
  readonly registry: Registry;
  readonly images: TestImages;
  readonly env: Environment;
  readonly #prefix: string;

  private constructor(client: string, directory: string, options: DeskOptions) {
    this.client = client;
    this.directory = directory;
    this.registry = options.registry;
    this.images = options.images;
    this.#prefix = options.prefix;
    this.env = {
      PATH: options.path,
      LANG: 'C.UTF-8',
      HOME: directory,
      TMPDIR: join(directory, 'tmp'),
      XDG_CACHE_HOME: join(directory, 'cache'),
      XDG_CONFIG_HOME: join(directory, 'config'),
      XDG_DATA_HOME: join(directory, 'data'),
      XDG_RUNTIME_DIR: join(directory, 'runtime'),
    };
  }

  /** `directory` is made, and the client's to fill. */
  static async create(client: string, directory: string, options: DeskOptions): Promise<Desk> {
    for (const name of ['tmp', 'cache', 'config', 'data', 'runtime']) {
      await mkdir(join(directory, name), { recursive: true });
    }
    return new Desk(client, directory, options);
  }

  /** What all the client's repositories begin with. */
  get namespace(): string {
    return `${this.#prefix}/${this.client}`;
  }

  repository(name: string): string {
    return `${this.namespace}/${name}`;
  }

  /** Host, repository and tag, as every client wants to be told. */
  reference(name: string, tag = TAG): string {
    return `${this.registry.host}/${this.repository(name)}:${tag}`;
  }

  /** The image or the index, for the repository of that name. */
  parcel(kind: Kind): Parcel {
    const [repository, reference] = [this.repository(kind), this.reference(kind)];
    return { kind, name: kind, layout: this.images[kind], repository, reference };
  }

  /** The tiny image, for the repository of that name. */
  tinyParcel(name: string, tag?: string): Parcel {
    const [repository, reference] = [this.repository(name), this.reference(name, tag)];
    return { kind: 'image', name, layout: this.images.tiny, repository, reference };
  }

  file(...names: string[]): string {
    return join(this.directory, ...names);
  }

  run(program: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
    return run(program, args, { cwd: this.directory, env: this.env, ...options });
  }
}

/** `linux/arm/v7` */
export function platformName(platform: { os: string; architecture: string; variant?: string }): string {
  const parts = [platform.os, platform.architecture, platform.variant];
  return parts.filter((part) => part !== undefined).join('/');
}

/** Every digest in the order of a text. */
export function digestsIn(text: string): string[] {
  return text.match(/sha256:[0-9a-f]{64}/g) ?? [];
}

/** The first digest in a text; throws if there is none. */
export function digestIn(text: string): string {
  const [digest] = digestsIn(text);
  if (digest === undefined) throw new Error(`no digest in: ${text}`);
  return digest;
}
