import type { Digest } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import type { Tag } from '../oci/reference.ts';
import { ownerByName } from '../registry/companions.ts';
import { lastPartOf, manifestKey, tagIndexKey, tagIndexOf, tagKey } from '../registry/keys.ts';
import { removeManifest } from '../registry/manifest-deletion.ts';
import { goingOf, markOf } from '../registry/marks.ts';
import { isUsedBeside } from '../registry/references.ts';
import { retentionActor } from '../registry/retention-policy.ts';
import { isSameTag, removeTags } from '../registry/tags.ts';
import {
  type Attributes,
  absent,
  type Condition,
  equals,
  type Key,
  MAX_OPERATIONS,
  type Operation,
  present,
} from '../storage/table.ts';
import { DigestSet } from './digest-set.ts';
import type { Finding } from './finding.ts';
import { type Companion, Gathering, type Group, type Member } from './retention-group.ts';
import type { RetentionRun } from './retention-run.ts';
import { sortedPages } from './sorted-pages.ts';
import type { Sweep } from './stage.ts';

/** A manifest that the rules let go, or that is left of one that went. */
export interface Going {
  readonly digest: Digest;
  readonly finding: Finding;
}

/** A member that nothing holds, once it is marked. */
interface Loose extends Member {
  /** Entries of the tag index whose tags have moved on. */
  readonly entries: readonly Key[];
  /** Its subject, where that is not there and must not come back. */
  readonly absentee: Key | undefined;
}

/** Of each manifest in one transaction; of one with more those beyond go first. */
const ENTRIES_BESIDE = 20;

/** Lets manifests go as somebody's delete does, but nobody has asked for it at this moment: whoever is about to use one wins,
 *  and so does who was told of late that it is there, which shows in `touched`. What belongs to it goes in the same
 *  transaction, so that neither goes without the other; what does not fit goes once it is gone. */
export class Burial {
  readonly #run: RetentionRun;
  readonly #sweep: Sweep;
  /** In a dry run, what would have gone already. */
  readonly #gone = new DigestSet();

  constructor(run: RetentionRun) {
    [this.#run, this.#sweep] = [run, run.sweep];
  }

  /** Tells of what went, and answers what belonged to it and did not go along: because it was too much, or something else held it
   *  then. Where the manifest itself stayed, the next run looks at it again. */
  async bury(going: Going): Promise<readonly Going[]> {
    const gathering = new Gathering(this.#run, (digest) => this.#gone.has(digest));
    const group = await gathering.gather(going.digest);
    const left = group ? await this.#take(going, group, gathering) : [];
    const reason = `what it belongs to goes: ${going.digest}`;
    return left.map((digest) => ({ digest, finding: { ...going.finding, digest, reason } }));
  }

  async #take(going: Going, group: Group, gathering: Gathering): Promise<readonly Digest[]> {
    const marks = await this.#mark(group.members);
    if (!marks) return [];
    for (let loose = await this.#loose(group.members, gathering); loose.length > 0; ) {
      const removal = await this.#removal(going, loose, { companions: group.companions, marks });
      if (!removal) return [];
      const findings = [...findingsOf(going, loose, group.companions)];
      const { name, record, report } = this.#sweep;
      const records = findings.flatMap((finding) => record?.(name, finding) ?? []);
      const operations = [...removal, ...records];
      if (operations.length <= MAX_OPERATIONS) {
        if (!(await this.#remove(operations, loose))) return [];
        for (const finding of findings) report?.(finding);
        return leftOf(group, loose);
      }
      loose = loose.slice(0, Math.ceil(loose.length / 2));
    }
    return [];
  }

  async #remove(operations: readonly Operation[], loose: readonly Loose[]): Promise<boolean> {
    const { dryRun, registry } = this.#sweep;
    if (!dryRun) return (await registry.table.write(operations)).committed;
    for (const { digest } of loose) this.#gone.add(digest);
    return true;
  }

  /** Marks those that are not marked yet. Who uses them is to be read after this. */
  async #mark(members: readonly Member[]): Promise<ReadonlyMap<Digest, Condition> | undefined> {
    const { registry, name, dryRun } = this.#sweep;
    const marks = new Map<Digest, Condition>();
    const operations: Operation[] = [];
    for (const { digest, manifest } of members) {
      const before = goingOf(manifest);
      const going = before ?? registry.newId();
      marks.set(digest, markOf(going));
      if (before === undefined)
        operations.push({ update: manifestKey(name, digest), set: { going }, when: [present] });
    }
    const isMarked = dryRun || operations.length === 0 || (await registry.table.write(operations)).committed;
    return isMarked ? marks : undefined;
  }

  /** Those that nothing holds but those before them, the first of all nothing. */
  async #loose(members: readonly Member[], gathering: Gathering): Promise<readonly Loose[]> {
    const loose: Loose[] = [];
    const going = new Set<Digest>();
    const goes = (digest: Digest) => going.has(digest) || this.#gone.has(digest);
    for (let open = members.slice(0, 1); open.length > 0; ) {
      const looked = await Promise.all(open.map((member) => this.#look(member, { goes, gathering })));
      const found = looked.flatMap((each) => each ?? []);
      if (found.length === 0) break;
      loose.push(...found);
      for (const { digest } of found) going.add(digest);
      open = members.filter(({ digest }) => !going.has(digest));
    }
    return loose;
  }

  /** `undefined` where it stays. */
  async #look(member: Member, { goes, gathering }: Others): Promise<Loose | undefined> {
    const { registry, name, dryRun, horizon } = this.#sweep;
    const { digest, manifest } = member;
    // A run has ended old pushes before it began.
    const ended = dryRun ? horizon : undefined;
    if (await isUsedBeside(registry, { name, target: digest, goes, ended })) return undefined;
    const { on, entries } = await this.#tagsOf(digest);
    const holding = on.filter(({ tag, found }) => {
      const owner = ownerByName(tag, digest);
      return owner === undefined || !goes(owner) || gathering.stands(tag, found);
    });
    if (holding.length > 0 && !(await this.#wouldGo(holding))) return undefined;
    const subject = manifest['subject'] as Digest | undefined;
    const absentee = subject !== undefined && !goes(subject) ? manifestKey(name, subject) : undefined;
    if (absentee && (await registry.table.get(absentee))) return undefined;
    return { ...member, entries, absentee };
  }

  /** Tags that go have gone before, but in a dry run. */
  async #wouldGo(tags: readonly Omit<Companion, 'owner'>[]): Promise<boolean> {
    const { dryRun, name } = this.#sweep;
    if (!dryRun) return false;
    const items = tags.map(({ tag, found }) => ({ key: tagKey(name, tag), attributes: found }));
    const decisions = await this.#run.judge.judge(items);
    return decisions.every(({ finding }) => finding.action === 'delete');
  }

  async #tagsOf(digest: Digest) {
    const { registry, name } = this.#sweep;
    const on: { readonly tag: Tag; readonly found: Attributes }[] = [];
    const entries: Key[] = [];
    const range = { ...tagIndexOf(name, digest), keysOnly: true };
    for await (const page of sortedPages(registry.table, range, MAX_OPERATIONS)) {
      const tags = page.map((entry) => lastPartOf(entry) as Tag);
      const items = await registry.table.getMany(tags.map((tag) => tagKey(name, tag)));
      for (const [index, tag] of tags.entries()) {
        const found = items[index];
        if (found?.['digest'] === digest) on.push({ tag, found });
        else entries.push(tagIndexKey(name, digest, tag));
      }
    }
    return { on, entries };
  }

  /** `undefined` where somebody has come between. */
  async #removal(
    { finding }: Going,
    loose: readonly Loose[],
    {
      companions,
      marks,
    }: { readonly companions: readonly Companion[]; readonly marks: ReadonlyMap<Digest, Condition> },
  ): Promise<Operation[] | undefined> {
    const { name } = this.#sweep;
    const registry = { ...this.#sweep.registry, actor: retentionActor(finding.policy) };
    const going = new Set(loose.map(({ digest }) => digest));
    const operations: Operation[] = [];
    const absentees = new Map<string, Key>();
    for (const { digest, manifest, grave, owner, entries, absentee } of loose) {
      const mark = marks.get(digest) as Condition;
      const when = [mark, equals('touched', manifest['touched'] as number)];
      const reason = owner ? `what it belongs to goes: ${owner}` : finding.reason;
      const kept = await this.#removeEntries(manifestKey(name, digest), mark, entries);
      if (!kept) return undefined;
      operations.push(...removeManifest(registry, name, { digest, manifest, grave, when, reason }));
      operations.push(...kept.map((key) => ({ remove: key })));
      if (absentee) absentees.set(absentee.sort, absentee);
    }
    const tags = companions.filter(({ owner }) => going.has(owner));
    const removed = tags.map(({ tag, found }) => {
      const goes = going.has(found['digest'] as Digest);
      return { tag, found, left: goes ? undefined : registry.now() };
    });
    const checks = [...absentees.values()].map((key) => ({ check: key, when: [absent] }));
    return [...operations, ...removeTags(registry, name, removed, isSameTag), ...checks];
  }

  /** Removes the entries beyond those that fit beside what goes, which it answers. */
  async #removeEntries(
    key: Key,
    mark: Condition,
    entries: readonly Key[],
  ): Promise<readonly Key[] | undefined> {
    const { registry, dryRun } = this.#sweep;
    const beyond = dryRun ? [] : entries.slice(ENTRIES_BESIDE);
    for (let start = 0; start < beyond.length; start += MAX_OPERATIONS - 1) {
      const removals = beyond.slice(start, start + MAX_OPERATIONS - 1).map((entry) => ({ remove: entry }));
      const { committed } = await registry.table.write([{ check: key, when: [mark] }, ...removals]);
      if (!committed) return undefined;
    }
    return entries.slice(0, ENTRIES_BESIDE);
  }
}

interface Others {
  /** What goes with it, or is gone in a dry run. */
  readonly goes: (digest: Digest) => boolean;
  readonly gathering: Gathering;
}

function leftOf({ members, more }: Group, gone: readonly Member[]): readonly Digest[] {
  const isGone = new Set(gone.map(({ digest }) => digest));
  return [...members.map(({ digest }) => digest).filter((digest) => !isGone.has(digest)), ...more];
}

function* findingsOf(
  { digest: root, finding }: Going,
  loose: readonly Loose[],
  companions: readonly Companion[],
): Generator<Finding> {
  const going = new Set(loose.map(({ digest }) => digest));
  for (const { digest, manifest, owner } of loose) {
    const sizes = { size: manifest['size'] as number, ...imageBytesOf(manifest) };
    if (digest === root) yield { ...finding, ...sizes };
    else if (owner)
      yield { ...finding, digest, ...sizes, owner, reason: `what it belongs to goes: ${owner}` };
  }
  for (const { tag, found, owner } of companions) {
    if (!going.has(owner)) continue;
    const digest = found['digest'] as Digest;
    yield {
      ...finding,
      kind: 'tag',
      tag,
      digest,
      size: found['size'] as number,
      owner,
      reason: `it belongs to ${owner}`,
    };
  }
}

/** Of those that lie in their items; what an index lists is counted with that. */
function imageBytesOf({ bytes, mediaType }: Attributes): { readonly imageBytes?: number } {
  if (bytes === undefined) return {};
  const { references } = parseManifest(bytes as Uint8Array, mediaType as string);
  const blobs = references.filter(({ kind }) => kind === 'blob');
  return { imageBytes: blobs.reduce((sum, { size }) => sum + size, 0) };
}
