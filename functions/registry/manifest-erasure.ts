import { OUTBOX_DELAY_SECONDS } from '../limits.ts';
import type { Digest } from '../oci/digest.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { ObjectKey } from '../storage/blob-store.ts';
import { type Attributes, type Condition, keyOf, type Operation, present } from '../storage/table.ts';
import { lastPartOf, manifestKey, manifestsOf, referrerKey, tagsOf } from './keys.ts';
import { goingOf, markOf } from './marks.ts';
import { discard } from './outbox.ts';
import { LOST } from './races.ts';
import { manifestsUsing, usersOf } from './references.ts';
import type { Registry } from './registry.ts';
import type { Step } from './repository-deletion.ts';

/** Three operations a manifest, and the ends of pushes, in 100 operations a transaction. */
const MANIFESTS_AT_ONCE = 30;
const PUSHES_BESIDE = 10;

/** A manifest that is marked. */
interface Marked {
  readonly digest: Digest;
  readonly manifest: Attributes;
  readonly mark: Condition;
}

/** The manifests of a repository that is deleted, an index before its children. Each is deleted as by `deleteManifest`, but
 *  many at once, and for good. */
export class ManifestErasure {
  readonly #registry: Registry;
  readonly #name: RepositoryName;
  /** Manifests that were in use by those looked at after them. */
  readonly #climbed: Digest[][] = [];

  constructor(registry: Registry, name: RepositoryName) {
    [this.#registry, this.#name] = [registry, name];
  }

  /** Those that no existing index lists; where all are listed, the indexes first. */
  async next(): Promise<Step> {
    for (;;) {
      const batch = this.#climbed.pop() ?? (await this.#first());
      if (batch.length === 0) return [];
      const users = await this.#each(batch, manifestsUsing);
      const unused = batch.filter((_, index) => users[index]?.length === 0);
      if (unused.length === 0) {
        this.#climbed.push(batch, [...new Set(users.flat())].slice(0, MANIFESTS_AT_ONCE));
        continue;
      }
      const keys = unused.map((digest) => manifestKey(this.#name, digest));
      const found = await this.#registry.table.getMany(keys);
      const there = unused.flatMap((digest, index) => {
        const manifest = found[index];
        return manifest ? [{ digest, manifest }] : [];
      });
      if (there.length > 0) return this.#erase(there);
    }
  }

  async #first(): Promise<Digest[]> {
    const range = { ...manifestsOf(this.#name), limit: MANIFESTS_AT_ONCE, keysOnly: true };
    return (await this.#registry.table.query(range)).map((item) => lastPartOf(item) as Digest);
  }

  /** Marks them, looks once more who uses them, and removes them on condition that the marks are still there. */
  async #erase(there: readonly Omit<Marked, 'mark'>[]): Promise<Step> {
    const { table } = this.#registry;
    const marked = await this.#mark(there);
    if (!marked) return LOST;
    const users = await this.#each(
      marked.map(({ digest }) => digest),
      usersOf,
    );
    const [tag] = await table.query({ ...tagsOf(this.#name), limit: 1, keysOnly: true });
    if (tag || users.some(({ manifests }) => manifests.length > 0)) return LOST;
    const pushes = [
      ...new Map(users.flatMap((user) => user.pushes.map((end) => [keyOf(end).sort, end]))).values(),
    ];
    const checks = marked.map(({ digest, mark }) => ({
      check: manifestKey(this.#name, digest),
      when: [mark],
    }));
    if (pushes.length > PUSHES_BESIDE) return [...checks, ...pushes.slice(0, 100 - checks.length)];
    return [...marked.flatMap((manifest) => this.#removal(manifest)), ...pushes];
  }

  async #mark(there: readonly Omit<Marked, 'mark'>[]): Promise<Marked[] | undefined> {
    const fresh = there.filter(({ manifest }) => goingOf(manifest) === undefined);
    const marks = new Map(fresh.map(({ digest }) => [digest, this.#registry.newId()]));
    const operations = [...marks].map(
      ([digest, going]): Operation => ({
        update: manifestKey(this.#name, digest),
        set: { going },
        when: [present],
      }),
    );
    if (operations.length > 0 && !(await this.#registry.table.write(operations)).committed) return undefined;
    return there.map(({ digest, manifest }) => ({
      digest,
      manifest,
      mark: markOf(marks.get(digest) ?? goingOf(manifest) ?? ''),
    }));
  }

  /** Three operations at most; nothing is left to restore. */
  #removal({ digest, manifest: { subject, objectKey }, mark }: Marked): Operation[] {
    const due = this.#registry.now() + OUTBOX_DELAY_SECONDS * 1000;
    return [
      { remove: manifestKey(this.#name, digest), when: [mark] },
      ...(subject ? [{ remove: referrerKey(this.#name, subject as Digest, digest) }] : []),
      ...(objectKey ? [discard(objectKey as ObjectKey, due, digest)] : []),
    ];
  }

  #each<T>(
    digests: readonly Digest[],
    ask: (registry: Registry, name: RepositoryName, digest: Digest) => Promise<T>,
  ): Promise<T[]> {
    return Promise.all(digests.map((digest) => ask(this.#registry, this.#name, digest)));
  }
}
