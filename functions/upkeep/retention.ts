import type { Digest } from '../oci/digest.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import { inTurns } from '../registry/in-turns.ts';
import { graveKey, lastPartOf, manifestKey, tagIndexOf, tagKey } from '../registry/keys.ts';
import { removeManifest } from '../registry/manifest-deletion.ts';
import { markAsGoing } from '../registry/marks.ts';
import { listPolicies, type Policy, policiesFor } from '../registry/policies.ts';
import { manifestsUsing, usersOf } from '../registry/references.ts';
import type { Registry } from '../registry/registry.ts';
import { findRepository } from '../registry/repositories.ts';
import { untag } from '../registry/tags.ts';
import { equals, MAX_OPERATIONS, type Operation } from '../storage/table.ts';
import type { Finding } from './finding.ts';
import { DEFAULT_LEASE, type Lease } from './lease.ts';
import { readGraph, type TagNode } from './retention-graph.ts';
import { type Plan, planRetention } from './retention-plan.ts';
import { sortedPages } from './sorted-pages.ts';
import type { Epochs, Sweep } from './stage.ts';

/** A finding for every tag and manifest of the repository, tags first, in an order that stays while nothing changes; none
 *  where no policy says what to keep. */
export async function planOf(
  registry: Registry,
  name: RepositoryName,
  { epochMs }: Pick<Lease, 'epochMs'> = DEFAULT_LEASE,
): Promise<readonly Finding[]> {
  const repository = await findRepository(registry, name);
  if (!repository) return [];
  const { epoch, epochAt } = repository;
  const plan = await findPlan({ registry, name, horizon: epoch - 2, epochAt, epochMs });
  return plan ? [...plan.tags.map(([, finding]) => finding), ...plan.manifests] : [];
}

/** `undefined` where no policy says anything of the repository. */
async function findPlan(sweep: Pick<Sweep, 'registry' | 'name'> & Epochs): Promise<Plan | undefined> {
  const { registry, name } = sweep;
  const policies = policiesFor(await listPolicies(registry), name).filter(({ retention }) => retention);
  if (policies.length === 0) return undefined;
  const graph = await readGraph(registry, name, { withUntagged: asksForUntagged(policies) });
  return inTurns(registry, planRetention(graph, { policies, now: registry.now(), epochs: sweep }));
}

const asksForUntagged = (policies: readonly Policy[]) =>
  policies.some(({ retention }) => retention?.untaggedAfterDays !== undefined);

/** Deletes what the policies of the repository keep no longer. The plan is made of what was read a while ago; so each
 *  removal stands on the condition that what it rests on is still so, and whoever pushes, tags or touches meanwhile
 *  wins. Manifests stay restorable. Reads all of the repository's tags and manifests at once: a stage without pages. */
export async function retain(sweep: Sweep): Promise<{ readonly done: boolean }> {
  const plan = await findPlan(sweep);
  if (!plan) return { done: true };
  const removal = new Removal(sweep, plan);
  for (const [node, finding] of plan.tags) await removal.tag(node, finding);
  for (const finding of plan.manifests) await removal.manifest(finding);
  return { done: true };
}

/** Beside the manifest's own operations, of 100 in a transaction. */
const INDEX_ENTRIES = 80;

class Removal {
  readonly #sweep: Sweep;
  readonly #plan: Plan;
  /** What stays although it was to go; then what belongs to it stays, too. */
  readonly #stayed = new Set<Digest>();

  constructor(sweep: Sweep, plan: Plan) {
    this.#sweep = sweep;
    this.#plan = plan;
  }

  async tag({ tag, digest, taggedAt }: TagNode, finding: Finding): Promise<void> {
    const { registry, name, dryRun, report } = this.#sweep;
    if (finding.action === 'keep') return;
    if (!dryRun) {
      // One that was put there again, on the same manifest too, is a new one.
      const when = [equals('digest', digest), equals('taggedAt', taggedAt)];
      const { committed } = await registry.table.write(untag(registry, name, tag, when));
      if (!committed) this.#stayed.add(digest);
      if (!committed) return;
    }
    report?.(finding);
  }

  async manifest(finding: Finding): Promise<void> {
    const { digest } = finding;
    if (finding.action === 'keep') return;
    const owners = this.#plan.owners.get(digest) ?? [];
    const isHeld = this.#stayed.has(digest) || owners.some((owner) => this.#stayed.has(owner));
    const isGone = !isHeld && (this.#sweep.dryRun || (await this.#bury(finding)));
    if (isGone) this.#sweep.report?.(finding);
    else this.#stayed.add(digest);
  }

  /** As somebody's delete, but nobody has asked for it at this moment: whoever is about to use the manifest wins, and so does
   *  who was told of late that it is there, which shows in `touched`. */
  async #bury({ digest, reason }: Finding): Promise<boolean> {
    const { registry, name, horizon } = this.#sweep;
    const key = manifestKey(name, digest);
    const [manifest, grave] = await registry.table.getMany([key, graveKey(name, digest)]);
    if (!manifest || (manifest['touched'] as number) > horizon) return false;
    if ((await manifestsUsing(registry, name, digest)).length > 0) return false;
    const mark = await markAsGoing(registry, key, manifest);
    if (!mark) return false;
    const { manifests, pushes } = await usersOf(registry, name, digest);
    if (manifests.length > 0 || pushes.length > 0) return false;
    const index = await this.#tagIndex(digest);
    if (!index) return false;
    const when = [mark, equals('touched', manifest['touched'] as number)];
    const { committed } = await registry.table.write([
      ...removeManifest(registry, name, { digest, manifest, grave, reason, when }),
      ...index,
    ]);
    return committed;
  }

  /** What is left there of tags it once had; `undefined` where one of these is on it. */
  async #tagIndex(digest: Digest): Promise<Operation[] | undefined> {
    const { registry, name } = this.#sweep;
    const range = { ...tagIndexOf(name, digest), keysOnly: true };
    const left: Operation[] = [];
    for await (const page of sortedPages(registry.table, range, MAX_OPERATIONS)) {
      const tags = page.map((entry) => tagKey(name, lastPartOf(entry) as Tag));
      const found = await registry.table.getMany(tags);
      if (found.some((tag) => tag?.['digest'] === digest)) return undefined;
      left.push(...page.map(({ key }) => ({ remove: key })));
    }
    return left.slice(0, INDEX_ENTRIES);
  }
}
