import { rm } from 'node:fs/promises';
import type { Client, Desk, Parcel, Session } from '../clients/client.ts';
import type { ImageSource, Layout } from '../clients/image.ts';
import { expectEqual } from '../clients/registry.ts';
import type { Report } from '../clients/report.ts';
import { Hands } from './hands.ts';

interface WorkerOptions {
  readonly client: Client;
  readonly desk: Desk;
  readonly session: Session;
  readonly source: ImageSource;
  readonly report: Report;
}

/** What must be there at the end. */
export interface Kept {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

/** How many images a repository keeps; older ones are deleted. */
const KEPT = 5;

/** How long an image that was deleted waits until it is pushed once more. */
const FORGOTTEN = 4;

/** One client that pushes, pulls, retags and deletes, for as long as it is let. */
export class Worker {
  readonly name: string;
  readonly #options: WorkerOptions;
  readonly #hands: Hands;
  readonly #images: (Kept & { readonly layout: Layout })[] = [];
  readonly #deleted: Layout[] = [];
  #copied: Kept | undefined;
  #number = 0;

  constructor(options: WorkerOptions) {
    this.name = options.client.name;
    this.#options = options;
    this.#hands = new Hands(options.desk.registry, this.repositories);
  }

  /** The one it pushes to, and the one it copies to. */
  get repositories(): readonly string[] {
    return ['app', 'copy'].map((name) => this.#options.desk.repository(name));
  }

  get kept(): readonly Kept[] {
    const latest = this.#images.at(-1);
    const tags = this.#images.map(({ repository, tag, digest }) => ({ repository, tag, digest }));
    return [
      ...tags,
      ...(latest ? [{ repository: latest.repository, tag: 'latest', digest: latest.digest }] : []),
      ...(this.#copied ? [this.#copied] : []),
    ];
  }

  async run(until: number): Promise<void> {
    const { report } = this.#options;
    while (performance.now() < until) {
      this.#number += 1;
      const number = this.#number;
      await report.check(this.name, `round ${number}`, () => this.#round());
    }
  }

  /** Every byte of each. */
  async verifyKept(): Promise<string> {
    for (const { repository, tag, digest } of this.kept) {
      const stored = await this.#options.desk.registry.verify(repository, tag);
      expectEqual(`digest of ${repository}:${tag}`, stored.digest, digest);
    }
    return `${this.kept.length} tags`;
  }

  close(): Promise<void> {
    return this.#options.session.close();
  }

  async #round(): Promise<void> {
    const { session } = this.#options;
    // Now and then one whose blobs the sweep may be about to take.
    const again = this.#deleted.length > FORGOTTEN && this.#number % 3 === 0;
    const layout = (again ? this.#deleted.shift() : undefined) ?? (await this.#options.source.next());
    const parcel = this.#parcel(layout);
    const sent = await session.push(parcel);
    await session.remove(parcel);
    const received = await session.pull(parcel);
    expectEqual('digest', received.digest, sent.digest);
    expectEqual('contents', received.contents, sent.contents);
    await session.remove(parcel);
    const tag = parcel.reference.slice(parcel.reference.lastIndexOf(':') + 1);
    this.#images.push({ repository: parcel.repository, tag, digest: sent.digest, layout });
    await this.#hands.retag(tag, 'latest');
    if (this.#number % 2 === 0) await this.#copy(sent.digest, tag);
    if (this.#images.length > KEPT) await this.#deleteOldest();
  }

  #parcel(layout: Layout): Parcel {
    const { desk } = this.#options;
    const [name, tag] = [`app-${this.#number}`, `n${this.#number}`];
    const [repository = ''] = this.repositories;
    return { kind: 'image', name, layout, repository, reference: desk.reference('app', tag) };
  }

  /** Into the other repository, without sending a byte; what was there before goes. */
  async #copy(digest: string, tag: string): Promise<void> {
    const before = this.#copied;
    await this.#hands.copy(digest, tag);
    this.#copied = { repository: this.repositories[1] ?? '', tag, digest };
    if (before && before.digest !== digest) await this.#hands.delete(before.repository, before.digest);
  }

  async #deleteOldest(): Promise<void> {
    const oldest = this.#images.shift();
    if (!oldest || this.#images.some(({ digest }) => digest === oldest.digest)) return;
    await this.#hands.delete(oldest.repository, oldest.digest);
    this.#deleted.push(oldest.layout);
    if (this.#deleted.length > 2 * FORGOTTEN) {
      const forgotten = this.#deleted.shift();
      if (forgotten) await rm(forgotten.directory, { recursive: true, force: true });
    }
  }
}
