import { digestOf } from '../../functions/oci/digest.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { heldIn } from '../../functions/registry/hold-items.ts';
import { blobKey } from '../../functions/registry/keys.ts';
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
  readonly catalog = new Set<string>();
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
    if (partition === 'REPOSITORIES') this.catalog.add(sort);
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

/** Looks at what has changed since it was last called. */
export function checkChanges(world: World): void {
  if (world.changes > world.checkedChanges) checkInvariants(world);
  else if (world.touched.size > 0 && world.policy?.quota) checkStored(world, new Inventory(world));
  for (const key of world.touched) {
    const digest = world.linked.get(key);
    if (digest !== undefined) checkObject(world, key, digest);
  }
  world.touched.clear();
}

/** Looks whether everything that can be read is whole, whatever is under way. */
function checkInvariants(world: World): void {
  const inventory = new Inventory(world);
  const doomed = new Set(inventory.outbox.map(({ attributes }) => attributes['objectKey'] as string));
  const left = inventory.outbox.filter(({ attributes }) => attributes['was'] !== undefined);
  const check = new Check(world, inventory, {
    doomed,
    left: new Set(left.map(({ attributes }) => attributes['objectKey'])),
  });
  for (const repository of REPOSITORIES) {
    check.manifests(repository);
    check.links(repository);
    check.tags(repository);
    check.tagNames(repository);
    check.catalog(repository);
    check.quota(repository);
  }
  check.digests();
  world.linked = check.linked;
  world.stored.know(check.linked.keys());
  if (world.policy?.quota) checkStored(world, inventory);
  world.checkedChanges = world.changes;
}

/** 8: what a repository has in the stores is no more than its quota leaves room for, whatever it is. */
function checkStored(world: World, inventory: Inventory): void {
  const most = world.policy?.quota?.each?.bytes ?? Number.POSITIVE_INFINITY;
  for (const repository of REPOSITORIES) {
    const kinds = ['B#', 'M#', 'G#'].flatMap((kind) => [...inventory.of(repository, kind).values()]);
    world.stored.release(repository, new Set(kinds.map(({ objectKey }) => objectKey)));
    const isOwn = ({ objectKey = '' }: Attributes) =>
      !world.stored.isOfAnother(repository, objectKey as string);
    const used = linkedBytes(inventory, repository, isOwn) + world.stored.bytesOf(repository, world);
    // The object of a manifest that was deleted lies beside the one that takes its place.
    const deleted = [...inventory.of(repository, 'G#').values()].filter((grave) => grave['objectKey']);
    const beside = deleted.reduce((sum, { size }) => sum + (size as number), 0);
    if (used - beside > most)
      world.violate(`8: ${repository} has ${used} bytes in the stores, of at most ${most}`);
  }
}

/** Bytes of blobs and manifests, also of deleted ones; what is deleted and there again counts once. */
function linkedBytes(
  inventory: Inventory,
  repository: string,
  isWanted: (item: Attributes) => boolean = () => true,
): number {
  const sizes = new Map<string, number>();
  for (const kind of ['G#', 'M#', 'B#'])
    for (const [digest, item] of inventory.of(repository, kind))
      if (isWanted(item)) sizes.set(digest, item['size'] as number);
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

/** 2: the object is there with the bytes of its digest, and stays so where the power goes. */
function checkObject(world: World, key: string, digest: string): void {
  const found = world.objectAt(key);
  if (!found) world.violate(named(`2: the object ${key} of ${digest} is gone`));
  else if (digestIn(found.bytes) !== digest)
    world.violate(named(`2: the object ${key} has other bytes than ${digest}`));
  else if (!found.isSafe) world.violate(named(`2: the object ${key} of ${digest} is gone with the power`));
}

/** Bytes are never changed in place. */
function digestIn(bytes: Uint8Array): string {
  const known = sound.get(bytes) ?? digestOf('sha256', bytes);
  sound.set(bytes, known);
  return known;
}

/** Whose bytes have been hashed already. */
const sound = new WeakMap<Uint8Array, string>();

class Check {
  readonly #world: World;
  readonly #inventory: Inventory;
  readonly #doomed: ReadonlySet<string>;
  /** Objects that another one took the place of; until they go, some still name them. */
  readonly #left: ReadonlySet<unknown>;
  /** What can be read, by its digest. */
  readonly linked = new Map<string, string>();

  constructor(
    world: World,
    inventory: Inventory,
    { doomed, left }: { doomed: ReadonlySet<string>; left: ReadonlySet<unknown> },
  ) {
    [this.#world, this.#inventory, this.#doomed, this.#left] = [world, inventory, doomed, left];
  }

  /** 1: what can be read has all its blobs and children, and the edges that keep them. */
  manifests(repository: string): void {
    const manifests = this.#inventory.of(repository, 'M#');
    const links = this.#inventory.of(repository, 'B#');
    const edges = this.#inventory.of(repository, 'E#');
    for (const [digest, manifest] of manifests) {
      const { blobs = [], children = [] } = manifestOf(digest) ?? {};
      const missing = [
        ...blobs.filter((blob) => !links.has(blob.digest)),
        ...children.filter((child) => !manifests.has(child.digest)),
      ];
      for (const { name } of missing) this.#found(`1: ${digest} of ${repository} lacks ${name}`);
      const loose = [...blobs, ...children].filter((each) => !edges.has(`${each.digest}#${digest}`));
      for (const { name } of loose) this.#found(`1: ${digest} of ${repository} has no edge to ${name}`);
      this.#content(manifest, digest, repository);
    }
    for (const [digest, grave] of this.#inventory.of(repository, 'G#')) {
      this.#content(grave, digest, repository);
      this.#held(repository, digest, grave);
    }
  }

  /** 5: until its quarantine ends, a manifest can be restored, unless somebody has deleted a blob of it. */
  #held(repository: string, digest: string, { deletedAt }: Attributes): void {
    const { clock, quarantineMs } = this.#world;
    if ((deletedAt as number) + quarantineMs <= clock) return;
    const links = this.#inventory.of(repository, 'B#');
    const gone = (manifestOf(digest)?.blobs ?? []).filter((blob) => !links.has(blob.digest));
    for (const blob of gone) {
      const key = blobKey(repository as RepositoryName, blob.digest);
      if (this.#world.wasTakenSince(key, 0)) continue;
      this.#found(`5: ${digest} is in quarantine in ${repository}, and ${blob.name} is not there`);
    }
  }

  /** 2: a blob that can be read has its bytes, and counts as linked. */
  links(repository: string): void {
    for (const [digest, { objectKey }] of this.#inventory.of(repository, 'B#')) {
      const stored = this.#world.table.peek({ partition: `D#${digest}`, sort: '#' });
      const isLinker = this.#world.table.peek({ partition: `D#${digest}`, sort: `L#${repository}` });
      const isItsOwn = stored?.['objectKey'] === objectKey || this.#left.has(objectKey);
      if (!stored || !isItsOwn || !isLinker) {
        this.#found(`2: the link of ${digest} in ${repository} is not that of its digest`);
      }
    }
  }

  /** 3: a tag is on a manifest that exists. */
  tags(repository: string): void {
    const manifests = this.#inventory.of(repository, 'M#');
    for (const [tag, attributes] of this.#inventory.of(repository, 'T#')) {
      const { digest, objectKey } = attributes;
      const manifest = manifests.get(digest as string);
      if (!manifest) this.#found(`3: ${tag} of ${repository} is on ${digest}, which is not there`);
      else if (manifest['objectKey'] !== objectKey && !this.#left.has(objectKey)) {
        this.#found(`3: ${tag} of ${repository} has other bytes than ${digest}`);
      } else if (objectKey === undefined)
        this.#content(attributes, digest as string, `${tag} of ${repository}`);
    }
  }

  /** 3: the list of tags names those that there are. */
  tagNames(repository: string): void {
    const items = [...this.#inventory.of(repository, 'N#').values()];
    const named = items.flatMap(({ names }) => (names as readonly string[] | undefined) ?? []).sort();
    const tags = [...this.#inventory.of(repository, 'T#').keys()].sort();
    if (named.join() !== tags.join()) this.#found(`3: ${repository} has ${tags}, and lists ${named}`);
  }

  /** 3: what has manifests is in the catalog. */
  catalog(repository: string): void {
    const [item] = this.#inventory.of(repository, '#').values();
    const isListed = item?.['listed'] === true && this.#inventory.catalog.has(repository);
    if (this.#inventory.of(repository, 'M#').size > 0 && !isListed)
      this.#found(`3: ${repository} has manifests, and is not in the catalog`);
  }

  digests(): void {
    for (const { key, attributes } of this.#inventory.digests) {
      const digest = key.partition.slice('D#'.length);
      const linked = REPOSITORIES.filter((name) => this.#inventory.of(name, 'B#').has(digest)).length;
      const linkers = this.#inventory.linkers.get(key.partition) ?? 0;
      if (attributes['links'] !== linked || linkers !== linked) {
        this.#found(`2: ${digest} counts ${attributes['links']} links and ${linkers} linkers of ${linked}`);
      }
      const objectKey = attributes['objectKey'] as ObjectKey | undefined;
      if (objectKey === undefined) this.#found(`2: ${digest} is linked, and has no object`);
      else this.#object(objectKey, digest);
    }
  }

  /** 8: no more is there than the quota leaves room for. */
  quota(repository: string): void {
    const { bytes = Number.POSITIVE_INFINITY, tags = Number.POSITIVE_INFINITY } =
      this.#world.policy?.quota?.each ?? {};
    let used = linkedBytes(this.#inventory, repository);
    for (const hold of this.#inventory.of(repository, 'W#').values()) used += heldIn(hold);
    if (used > bytes) this.#found(`8: ${repository} has ${used} bytes, of at most ${bytes}`);
    const count = this.#inventory.of(repository, 'T#').size;
    if (count > tags) this.#found(`8: ${repository} has ${count} tags, of at most ${tags}`);
  }

  /** Of a manifest, its tag or its grave. */
  #content({ bytes, objectKey }: Attributes, digest: string, where: string): void {
    if (objectKey !== undefined) this.#object(objectKey as ObjectKey, digest);
    else if (!bytes || digestIn(bytes as Uint8Array) !== digest) {
      this.#found(`2: ${digest} of ${where} has other bytes than its digest`);
    }
  }

  /** The object has the bytes of its digest, and nobody is to delete it. */
  #object(key: ObjectKey, digest: string): void {
    const known = this.linked.get(key);
    if (known !== undefined && known !== digest)
      this.#found(`2: ${key} is the object of ${known} and ${digest}`);
    if (known !== undefined) return;
    this.linked.set(key, digest);
    checkObject(this.#world, key, digest);
    if (this.#doomed.has(key))
      this.#found(`2: the object ${key} of ${digest} can be read and is to be deleted`);
  }

  #found(text: string): void {
    this.#world.violate(named(text));
  }
}
