import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { type ManifestReference, parseManifest } from '../oci/manifest.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import { type Attributes, MAX_OPERATIONS } from '../storage/table.ts';
import { deleteBlob } from './blobs.ts';
import { endGrave } from './graves.ts';
import { blobKey, graveKey, lastPartOf, manifestKey, tagIndexOf, tagKey } from './keys.ts';
import { buryManifest } from './manifest-deletion.ts';
import { LOST, untilWon } from './races.ts';
import { holdersOf } from './references.ts';
import type { Registry } from './registry.ts';
import { disturb } from './rest.ts';
import { bytesOf } from './restore-plan.ts';

/** One manifest or blob of a repository, and what became of it, or in a dry run would. */
export interface Purged {
  readonly repository: RepositoryName;
  readonly kind: 'manifest' | 'blob';
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Tags that went with a manifest, the first hundred that it ever had. */
  readonly tags: readonly Tag[];
  readonly outcome: 'purged' | 'kept';
  /** For people. */
  readonly reason: string;
}

type Entry = Omit<Purged, 'repository'>;

interface RunOptions {
  readonly until: number;
  readonly dryRun?: boolean;
  readonly permit?: (name: RepositoryName, digest: Digest) => Promise<void>;
  readonly report: (entry: Purged) => void;
}

/** How often an index that comes while its child goes is taken, too, before somebody else has to stop that. */
const ATTEMPTS = 20;

/** The purge of one digest in one repository. First manifests are deleted as by anybody, into their graves, then blobs are unlinked,
 *  and the graves end last: they tell whoever goes on after a death what there was. */
export class PurgeRun {
  readonly #registry: Registry;
  readonly #name: RepositoryName;
  readonly #options: RunOptions;
  /** Manifests that go, most of which are in their graves already. */
  readonly #going = new Set<Digest>();
  /** What was still used by others when it was looked at. */
  readonly #kept = new Map<Digest, Entry>();
  readonly #unlinked = new Set<Digest>();

  constructor(registry: Registry, name: RepositoryName, options: RunOptions) {
    [this.#registry, this.#name, this.#options] = [registry, name, options];
  }

  /** Blobs that the repository has no more. */
  get unlinked(): Iterable<Digest> {
    return this.#unlinked;
  }

  /** Takes the manifest of this digest and its blob, whichever there is. False where its time is over before all is done. */
  async take(digest: Digest): Promise<boolean> {
    await this.#permitAll(digest);
    await this.#manifest(digest, 'it is what was asked for');
    // As a blob, it goes with all that uses it.
    const linked = await this.#registry.table.get(blobKey(this.#name, digest));
    for await (const holder of holdersOf(this.#registry, this.#name, digest)) {
      if (this.#isOver()) return false;
      // Without the blob it is one whose layer lies elsewhere, or in its grave since a purge that died.
      const isMeant = linked ?? !(await this.#find(holder)).manifest;
      if (isMeant) await this.#manifest(holder, `it uses ${digest}`);
    }
    await this.#blob(digest, 'it is what was asked for');
    for (const entry of this.#kept.values()) this.#tell(entry);
    return true;
  }

  /** Ends the graves of what was taken, and answers which manifests that were. */
  async end(): Promise<readonly Digest[]> {
    if (this.#going.size > 0) await disturb(this.#registry, this.#name);
    for (const digest of this.#going) {
      await untilWon(this.#registry, async () => {
        const grave = await this.#registry.table.get(graveKey(this.#name, digest));
        if (!grave) return true;
        const { committed } = await this.#registry.table.write(
          endGrave(this.#registry, this.#name, digest, grave),
        );
        return committed || LOST;
      });
    }
    return [...this.#going];
  }

  /** Whoever may not delete one of those that would go deletes none. */
  async #permitAll(digest: Digest, seen = new Set<Digest>()): Promise<void> {
    const { permit } = this.#options;
    if (!permit || seen.has(digest)) return;
    seen.add(digest);
    if ((await this.#find(digest)).manifest) await permit(this.#name, digest);
    for await (const holder of holdersOf(this.#registry, this.#name, digest))
      await this.#permitAll(holder, seen);
  }

  #isOver(): boolean {
    return this.#going.size > 0 && this.#registry.now() >= this.#options.until;
  }

  /** With the indexes that list it, and what it lists itself where nothing else does. */
  async #manifest(digest: Digest, reason: string): Promise<void> {
    if (this.#going.has(digest)) return;
    const { manifest, grave } = await this.#find(digest);
    const found = manifest ?? grave;
    if (!found) return;
    this.#going.add(digest);
    const tags = manifest ? await this.#tagsOn(digest) : [];
    const references = await this.#referencesOf(digest, { manifest, grave });
    await this.#bury(digest, manifest !== undefined);
    this.#tell({ kind: 'manifest', digest, size: found['size'] as number, tags, outcome: 'purged', reason });
    for (const { digest: target, kind } of references) await this.#unlessHeld(target, kind, digest);
  }

  /** First the indexes that list it, which would be broken; one may come meanwhile. */
  async #bury(digest: Digest, isThere: boolean): Promise<void> {
    for (let tried = 1; ; tried += 1) {
      for await (const owner of holdersOf(this.#registry, this.#name, digest))
        await this.#owner(owner, digest);
      if (!isThere) return;
      const permit = async () => this.#options.permit?.(this.#name, digest);
      try {
        if (this.#options.dryRun) await permit();
        else await buryManifest(this.#registry, this.#name, digest, permit);
        return;
      } catch (error) {
        if (!isConflict(error) || tried === ATTEMPTS) throw error;
      }
    }
  }

  /** An index goes without what else it lists: that is not what was asked for. */
  async #owner(digest: Digest, child: Digest): Promise<void> {
    if (this.#going.has(digest)) return;
    const { manifest, grave } = await this.#find(digest);
    const found = manifest ?? grave;
    if (!found) return;
    this.#going.add(digest);
    const tags = manifest ? await this.#tagsOn(digest) : [];
    await this.#bury(digest, manifest !== undefined);
    const reason = `it lists ${child}`;
    this.#tell({ kind: 'manifest', digest, size: found['size'] as number, tags, outcome: 'purged', reason });
  }

  async #unlessHeld(target: Digest, kind: ManifestReference['kind'], by: Digest): Promise<void> {
    const holder = await this.#holderBeside(target);
    const found = kind === 'blob' ? undefined : await this.#find(target);
    const manifest = found?.manifest ?? found?.grave;
    const reason = holder === undefined ? `only ${by} uses it` : `${holder} uses it, too`;
    if (holder === undefined && manifest) await this.#manifest(target, reason);
    else if (holder === undefined) await this.#blob(target, reason);
    else await this.#keep(target, manifest, reason);
  }

  /** A manifest that uses it and does not go. */
  async #holderBeside(target: Digest): Promise<Digest | undefined> {
    for await (const holder of holdersOf(this.#registry, this.#name, target)) {
      if (!this.#going.has(holder)) return holder;
    }
    return undefined;
  }

  async #keep(digest: Digest, manifest: Attributes | undefined, reason: string): Promise<void> {
    const found = manifest ?? (await this.#registry.table.get(blobKey(this.#name, digest)));
    if (!found) return;
    const kind = manifest ? 'manifest' : 'blob';
    this.#kept.set(digest, {
      kind,
      digest,
      size: found['size'] as number,
      tags: [],
      outcome: 'kept',
      reason,
    });
  }

  async #blob(digest: Digest, reason: string): Promise<void> {
    const linked = await this.#registry.table.get(blobKey(this.#name, digest));
    if (!linked || this.#unlinked.has(digest)) return;
    const size = linked['size'] as number;
    try {
      if (!this.#options.dryRun) await deleteBlob(this.#registry, this.#name, digest);
    } catch (error) {
      // Somebody has pushed what uses it, or has deleted it.
      if (!(error instanceof RegistryError) || error.status >= 429) throw error;
      if (isConflict(error)) return this.#keep(digest, undefined, error.message);
    }
    this.#unlinked.add(digest);
    this.#tell({ kind: 'blob', digest, size, tags: [], outcome: 'purged', reason });
  }

  async #find(digest: Digest) {
    const keys = [manifestKey(this.#name, digest), graveKey(this.#name, digest)];
    const [manifest, grave] = await this.#registry.table.getMany(keys);
    return { manifest, grave };
  }

  /** None where its bytes are lost. */
  async #referencesOf(
    digest: Digest,
    found: { readonly manifest: Attributes | undefined; readonly grave: Attributes | undefined },
  ): Promise<readonly ManifestReference[]> {
    const bytes = await bytesOf(this.#registry, this.#name, digest, found).catch((error: unknown) => {
      if (error instanceof RegistryError) return undefined;
      throw error;
    });
    const mediaType = (found.manifest ?? found.grave)?.['mediaType'] as string;
    return bytes ? parseManifest(bytes, mediaType).references : [];
  }

  async #tagsOn(digest: Digest): Promise<Tag[]> {
    const { table } = this.#registry;
    const range = { ...tagIndexOf(this.#name, digest), limit: MAX_OPERATIONS, keysOnly: true };
    const tags = (await table.query(range)).map((entry) => lastPartOf(entry) as Tag);
    if (tags.length === 0) return [];
    const found = await table.getMany(tags.map((tag) => tagKey(this.#name, tag)));
    return tags.filter((_, index) => found[index]?.['digest'] === digest);
  }

  #tell(entry: Entry): void {
    if (entry.outcome === 'purged') this.#kept.delete(entry.digest);
    this.#options.report({ repository: this.#name, ...entry });
  }
}

const isConflict = (error: unknown): error is RegistryError =>
  error instanceof RegistryError && error.status === 409;
