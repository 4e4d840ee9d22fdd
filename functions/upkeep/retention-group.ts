import type { Digest } from '../oci/digest.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import { companionTagsOf, ownerByName } from '../registry/companions.ts';
import { graveKey, lastPartOf, manifestKey, referrersOf, tagKey } from '../registry/keys.ts';
import type { Registry } from '../registry/registry.ts';
import { tagTimesOf } from '../registry/tags.ts';
import type { Attributes } from '../storage/table.ts';
import { getEach, listedBy } from './retention-facts.ts';
import type { RetentionRun } from './retention-run.ts';
import type { Sweep } from './stage.ts';

/** A manifest that goes, or goes with what it belongs to. */
export interface Member {
  readonly digest: Digest;
  readonly manifest: Attributes;
  readonly grave: Attributes | undefined;
  /** What it was found with; absent for the one that goes by itself. */
  readonly owner?: Digest;
}

/** A tag that belongs to a member by its name, and goes with it. */
export interface Companion {
  readonly tag: Tag;
  readonly found: Attributes;
  readonly owner: Digest;
}

/** A manifest that goes, and what goes with it if nothing else holds that. */
export interface Group {
  /** Each after what it was found with. */
  readonly members: readonly Member[];
  readonly companions: readonly Companion[];
  /** What belongs to it and was not looked at: it was too much. */
  readonly more: readonly Digest[];
}

/** Ours: manifests that one transaction may take, with their tags. */
const MOST = 24;

/** Finds what belongs to a manifest: what it lists, its referrers, and what hangs on tags that are named after it, and what
 *  belongs to these. Left out is what somebody may be about to use, what is held, and what a pin is on. */
export class Gathering {
  readonly #run: RetentionRun;
  readonly #sweep: Sweep;
  readonly #isGone: (digest: Digest) => boolean;
  readonly #members = new Map<Digest, Member>();
  readonly #companions: Companion[] = [];
  readonly #more = new Set<Digest>();

  /** `isGone` in a dry run, where it is there still. */
  constructor(run: RetentionRun, isGone: (digest: Digest) => boolean) {
    [this.#run, this.#sweep, this.#isGone] = [run, run.sweep, isGone];
  }

  /** `undefined` where the manifest is not there any more, or is to stay. */
  async gather(root: Digest): Promise<Group | undefined> {
    await this.#add([{ digest: root, owner: undefined }]);
    if (!this.#members.has(root)) return undefined;
    // What is added meanwhile has its turn, too.
    for (const member of this.#members.values()) await this.#add(await this.#belongingsOf(member));
    return {
      members: [...this.#members.values()],
      companions: this.#companions,
      more: [...this.#more],
    };
  }

  async #add(
    found: readonly { readonly digest: Digest; readonly owner: Digest | undefined }[],
  ): Promise<void> {
    const { registry, name } = this.#sweep;
    // Who has held one since has touched it.
    const fresh = found.filter(({ digest }) => !this.#members.has(digest) && !this.#isGone(digest));
    const keysOf = ({ digest }: { readonly digest: Digest }) =>
      [manifestKey(name, digest), graveKey(name, digest)] as const;
    const get = await getEach(registry, fresh.flatMap(keysOf));
    for (const each of fresh) {
      const [manifest, grave] = keysOf(each).map(get);
      const { digest, owner } = each;
      if (!manifest || this.#run.whyStands(digest, manifest) !== undefined) continue;
      if (this.#members.size >= MOST) this.#more.add(digest);
      else this.#members.set(digest, { digest, manifest, grave, ...(owner && { owner }) });
    }
  }

  async #belongingsOf({ digest, manifest }: Member) {
    const { registry, name } = this.#sweep;
    const [listed, referrers, companions] = await Promise.all([
      listedBy(registry, name, { digest, found: manifest }),
      referrersAmong(registry, name, digest),
      this.#companionsOf(digest),
    ]);
    this.#companions.push(...companions);
    const digests = [
      ...listed.map((each) => each.digest),
      ...referrers,
      ...companions.map(({ found }) => found['digest'] as Digest),
    ];
    return [...new Set(digests)].map((each) => ({ digest: each, owner: digest }));
  }

  /** Whether a tag stays whatever becomes of what it belongs to. */
  stands(tag: Tag, found: Attributes): boolean {
    const digest = found['digest'] as Digest;
    const facts = { tag, digest, ...tagTimesOf(found), isHeld: this.#run.holds.isHeld(digest) };
    return this.#run.rules.stands(facts) !== undefined;
  }

  async #companionsOf(owner: Digest): Promise<Companion[]> {
    const { registry, name } = this.#sweep;
    const tags = companionTagsOf(owner);
    if (tags.length === 0) return [];
    const items = await registry.table.getMany(tags.map((tag) => tagKey(name, tag)));
    return tags.flatMap((tag, index) => {
      const found = items[index];
      const digest = found?.['digest'] as Digest | undefined;
      if (!found || !digest || ownerByName(tag, digest) !== owner) return [];
      return this.stands(tag, found) ? [] : [{ tag, found, owner }];
    });
  }
}

/** More than a group has; the others go once their subject is gone. */
async function referrersAmong({ table }: Registry, name: RepositoryName, subject: Digest): Promise<Digest[]> {
  const items = await table.query({ ...referrersOf(name, subject), limit: 10 * MOST, keysOnly: true });
  return items.map((item) => lastPartOf(item) as Digest);
}
