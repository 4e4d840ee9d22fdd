import { digestOf } from '../../functions/oci/digest.ts';
import type { ObjectKey } from '../../functions/storage/blob-store.ts';
import type { Attributes, Item } from '../../functions/storage/table.ts';
import { manifestOf, named, REPOSITORIES } from './content.ts';
import type { World } from './world.ts';

/** What the table holds, by kind: `B#` and so on, then by what stands behind it. */
export class Inventory {
  readonly #kinds = new Map<string, Map<string, Attributes>>();
  readonly digests: Item[] = [];
  readonly outbox: Item[] = [];
  readonly sessions: Item[] = [];
  readonly linkers = new Map<string, number>();

  constructor({ table }: World) {
    for (const item of table.items()) this.#add(item);
  }

  /** Items of one kind in one repository, by the rest of their keys. */
  of(repository: string, kind: string): ReadonlyMap<string, Attributes> {
    return this.#kinds.get(`R#${repository} ${kind}`) ?? new Map();
  }

  #add(item: Item): void {
    const { partition, sort } = item.key;
    const group = partition.slice(0, 2);
    if (group === 'R#') this.#addKind(`${partition} ${sort.slice(0, 2)}`, sort.slice(2), item.attributes);
    if (group === 'X#') this.outbox.push(item);
    if (group === 'U#') this.sessions.push(item);
    if (group !== 'D#') return;
    if (sort === '#') this.digests.push(item);
    else this.linkers.set(partition, (this.linkers.get(partition) ?? 0) + 1);
  }

  #addKind(kind: string, rest: string, attributes: Attributes): void {
    const items = this.#kinds.get(kind) ?? new Map<string, Attributes>();
    this.#kinds.set(kind, items.set(rest, attributes));
  }
}

/** Looks whether everything that can be read is whole, whatever is under way. */
export function checkInvariants(world: World): void {
  const inventory = new Inventory(world);
  const doomed = new Set(inventory.outbox.map(({ attributes }) => attributes['objectKey'] as string));
  const check = new Check(world, inventory, doomed);
  for (const repository of REPOSITORIES) {
    check.manifests(repository);
    check.links(repository);
    check.tags(repository);
    check.tagNames(repository);
  }
  check.digests();
}

/** Whose bytes have been hashed already. */
const sound = new WeakMap<Uint8Array, string>();

class Check {
  readonly #world: World;
  readonly #inventory: Inventory;
  readonly #doomed: ReadonlySet<string>;

  constructor(world: World, inventory: Inventory, doomed: ReadonlySet<string>) {
    [this.#world, this.#inventory, this.#doomed] = [world, inventory, doomed];
  }

  /** 1: what can be read has all its blobs and children. */
  manifests(repository: string): void {
    const manifests = this.#inventory.of(repository, 'M#');
    const links = this.#inventory.of(repository, 'B#');
    for (const [digest, { objectKey }] of manifests) {
      const { blobs = [], children = [] } = manifestOf(digest) ?? {};
      const missing = [
        ...blobs.filter((blob) => !links.has(blob.digest)),
        ...children.filter((child) => !manifests.has(child.digest)),
      ];
      for (const { name } of missing) this.#found(`1: ${digest} of ${repository} lacks ${name}`);
      if (objectKey) this.#object(objectKey as ObjectKey, digest);
    }
    for (const [digest, { objectKey }] of this.#inventory.of(repository, 'G#')) {
      if (objectKey) this.#object(objectKey as ObjectKey, digest);
    }
  }

  /** 2: a blob that can be read has its bytes, and counts as linked. */
  links(repository: string): void {
    for (const [digest, { objectKey }] of this.#inventory.of(repository, 'B#')) {
      const stored = this.#world.table.peek({ partition: `D#${digest}`, sort: '#' });
      const isLinker = this.#world.table.peek({ partition: `D#${digest}`, sort: `L#${repository}` });
      if (stored?.['objectKey'] !== objectKey || !isLinker) {
        this.#found(`2: the link of ${digest} in ${repository} is not that of its digest`);
      }
    }
  }

  /** 3: a tag is on a manifest that exists. */
  tags(repository: string): void {
    const manifests = this.#inventory.of(repository, 'M#');
    for (const [tag, { digest, objectKey }] of this.#inventory.of(repository, 'T#')) {
      const manifest = manifests.get(digest as string);
      if (!manifest) this.#found(`3: ${tag} of ${repository} is on ${digest}, which is not there`);
      else if (manifest['objectKey'] !== objectKey) {
        this.#found(`3: ${tag} of ${repository} has other bytes than ${digest}`);
      }
    }
  }

  /** 3: the list of tags names those that there are. */
  tagNames(repository: string): void {
    const items = [...this.#inventory.of(repository, 'N#').values()];
    const named = items.flatMap(({ names }) => (names as readonly string[] | undefined) ?? []).sort();
    const tags = [...this.#inventory.of(repository, 'T#').keys()].sort();
    if (named.join() !== tags.join()) this.#found(`3: ${repository} has ${tags}, and lists ${named}`);
  }

  digests(): void {
    for (const { key, attributes } of this.#inventory.digests) {
      const digest = key.partition.slice('D#'.length);
      const linked = REPOSITORIES.filter((name) => this.#inventory.of(name, 'B#').has(digest)).length;
      const linkers = this.#inventory.linkers.get(key.partition) ?? 0;
      if (attributes['links'] !== linked || linkers !== linked) {
        this.#found(`2: ${digest} counts ${attributes['links']} links and ${linkers} linkers of ${linked}`);
      }
      this.#object(attributes['objectKey'] as ObjectKey, digest);
    }
  }

  /** The object is there, has the bytes of its digest, and nobody is to delete it. */
  #object(key: ObjectKey, digest: string): void {
    const bytes = this.#world.objects.whole.get(key);
    if (!bytes) {
      this.#found(`2: the object ${key} of ${digest} is gone`);
      return;
    }
    if (!sound.has(bytes)) sound.set(bytes, digestOf('sha256', bytes));
    if (sound.get(bytes) !== digest) this.#found(`2: the object ${key} has other bytes than ${digest}`);
    if (this.#doomed.has(key))
      this.#found(`2: the object ${key} of ${digest} can be read and is to be deleted`);
  }

  #found(text: string): void {
    this.#world.violate(named(text));
  }
}
