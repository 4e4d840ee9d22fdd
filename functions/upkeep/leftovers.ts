import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';
import { companionTagsOf, ownerByName } from '../registry/companions.ts';
import { lastPartOf, manifestKey, referrersOf, tagKey } from '../registry/keys.ts';
import { listPolicies, policiesFor } from '../registry/policies.ts';
import type { Attributes } from '../storage/table.ts';
import type { Finding } from './finding.ts';
import { Burial } from './retention-burial.ts';
import { Holds } from './retention-holds.ts';
import { RetentionRules } from './retention-rules.ts';
import { RetentionRun } from './retention-run.ts';
import { removeTagsOf } from './retention-tags.ts';
import { Allowance } from './run-limits.ts';
import { sortedPages } from './sorted-pages.ts';
import { isOver, type Sweep } from './stage.ts';

/** Signatures and the like of manifests that somebody has deleted, where no policy says when they go: they were only there for
 *  these, and go once nobody can bring these back. In quarantine themselves then. */
export class Leftovers {
  readonly #run: RetentionRun;
  readonly #burial: Burial;

  private constructor(run: RetentionRun) {
    [this.#run, this.#burial] = [run, new Burial(run)];
  }

  /** `undefined` where a policy says what stays. */
  static async of(sweep: Sweep): Promise<Leftovers | undefined> {
    const { registry, name } = sweep;
    const policies = policiesFor(await listPolicies(registry), name);
    if (policies.some(({ retention }) => retention)) return undefined;
    const rules = new RetentionRules([], registry.now());
    const parts = { rules, holds: await Holds.load(sweep), allowance: new Allowance(undefined) };
    return new Leftovers(new RetentionRun(sweep, parts));
  }

  /** Takes what belonged to the manifest, which is gone for good. What others hold, or are about to use, stays. */
  async take(owner: Digest): Promise<void> {
    const { sweep, holds } = this.#run;
    const { registry, name } = sweep;
    if (await registry.table.get(manifestKey(name, owner))) return;
    const tags = await this.#companions(owner);
    const decisions = tags.map(({ tag, found }) => ({
      ...{ tag, found, owner },
      finding: findingOf({ kind: 'tag', tag, found }, found['digest'] as Digest, owner),
    }));
    await removeTagsOf(sweep, decisions, holds);
    for (const { found } of tags) await this.#bury(found['digest'] as Digest, owner);
    const referrers = { ...referrersOf(name, owner), keysOnly: true };
    for await (const page of sortedPages(registry.table, referrers)) {
      for (const item of page) await this.#bury(lastPartOf(item) as Digest, owner);
      if (isOver(sweep)) return;
    }
  }

  async #companions(owner: Digest) {
    const { registry, name } = this.#run.sweep;
    const tags = companionTagsOf(owner);
    if (tags.length === 0) return [];
    const items = await registry.table.getMany(tags.map((tag) => tagKey(name, tag)));
    return tags.flatMap((tag, index) => {
      const found = items[index];
      return found && ownerByName(tag, found['digest'] as Digest) === owner ? [{ tag, found }] : [];
    });
  }

  async #bury(digest: Digest, owner: Digest): Promise<void> {
    await this.#burial.bury({ digest, finding: findingOf({ kind: 'manifest' }, digest, owner) });
  }
}

function findingOf(
  what:
    | { readonly kind: 'tag'; readonly tag: Tag; readonly found: Attributes }
    | { readonly kind: 'manifest' },
  digest: Digest,
  owner: Digest,
): Finding {
  const reason = `what it belonged to is gone: ${owner}`;
  const finding = { action: 'delete', digest, owner, reason } as const;
  if (what.kind === 'manifest') return { ...finding, kind: 'manifest' };
  return { ...finding, kind: 'tag', tag: what.tag, size: what.found['size'] as number };
}
