import { type Actor, go, type Next, type Part, type Phase } from './explorer.ts';
import { bury, looksForUsers, type Protocol, reads, unlink, writes } from './protocol.ts';
import { become, type Change, equals, plus, present } from './world.ts';

interface DeletionOptions {
  readonly repository?: number;
  readonly manifest: number;
}

/** Somebody who deletes a blob; as `deleteBlob`. */
export function deleteBlob(
  protocol: Protocol,
  { repository: r = 0, blob }: { repository?: number; blob: number },
): Actor {
  const { layout, omits } = protocol;
  const attempt: Phase = function* () {
    const [version = 0] = yield reads('#', 'reads the version', (world) => [world.get(layout.version(r))]);
    const [link = 0, links = 0, object = 0] = yield reads('B# D#', 'reads link and digest', (world) => [
      world.get(layout.link(r, blob)),
      world.get(layout.links(blob)),
      world.get(layout.object(blob)),
    ]);
    if (!link) return 'end';
    const isUsed = yield* looksForUsers(protocol, r, blob);
    if (isUsed) return 'end';
    const looks = !omits('a blob is deleted whatever was pushed meanwhile');
    const [committed] = yield writes('# B# D#', 'removes the link', () => [
      { cell: layout.version(r), ...(looks && { when: equals(version) }) },
      { cell: layout.deletions(r), to: plus(omits('a blob is deleted without a count') ? 0 : 1) },
      ...unlink(protocol, r, blob, { links, object }),
      { cell: layout.unwanted(r, blob), to: become(1) },
    ]);
    return committed ? 'end' : go(attempt);
  };
  return { name: 'delete of the blob', start: go(attempt) };
}

/** Somebody who deletes a manifest with its tag; as `deleteManifest`. With `beyond`, the tag is one of more than thirty. */
export function deleteManifest(
  protocol: Protocol,
  options: DeletionOptions & { readonly beyond?: boolean },
): Actor {
  const { layout } = protocol;
  const { repository: r = 0, manifest: m, beyond = false } = options;
  const attempt: Phase = function* (): Part<Next> {
    const [version = 0] = yield reads('#', 'reads the version', (world) => [world.get(layout.version(r))]);
    const [found] = yield reads('M#', 'looks for the manifest', (world) => [
      world.get(layout.manifest(r, m)),
    ]);
    const [grave = 0] = yield reads('G#', 'looks into its grave', (world) => [world.get(layout.grave(r, m))]);
    if (!found) return 'end';
    const isUsed = yield* looksForUsers(protocol, r, layout.shape.blobs + m);
    if (isUsed) return 'end';
    const isAlone = !beyond || (yield* removeTagsBeyond(protocol, r, m, version));
    if (!isAlone) return go(attempt);
    const tags = yield* untag(protocol, r, m);
    const [committed] = yield writes('# M# G#', 'moves the manifest into its grave', (world) => [
      ...counts(protocol, r, version),
      ...bury(protocol, world, { repository: r, manifest: m, grave }, present),
      { cell: layout.unwanted(r, layout.shape.blobs + m), to: become(1) },
      ...tags,
    ]);
    return committed ? 'end' : go(attempt);
  };
  return { name: 'delete of the manifest', start: go(attempt) };
}

function counts({ layout, omits }: Protocol, r: number, version: number): Change[] {
  const blind = omits('a manifest is deleted whatever was pushed meanwhile');
  return [
    { cell: layout.version(r), ...(!blind && { when: equals(version) }), to: plus(1) },
    { cell: layout.deletions(r), to: plus(omits('a manifest is deleted without a count') ? 0 : 1) },
  ];
}

/** Tells whether it won. */
function* removeTagsBeyond(protocol: Protocol, r: number, m: number, version: number): Part<boolean> {
  const { layout, omits } = protocol;
  const changes = yield* untag(protocol, r, m);
  if (changes.length === 0) return true;
  const blind = omits('tags beyond thirty go whatever was pushed meanwhile');
  const [gone] = yield writes('T# I#', 'removes some tags', () => [
    { cell: layout.version(r), ...(!blind && { when: equals(version) }) },
    ...changes,
  ]);
  return gone === 1;
}

/** What takes the tag off the manifest, and only its entry in the index where it is on it no more; as `tagOperations`. */
function* untag({ layout }: Protocol, r: number, m: number): Part<Change[]> {
  const [hint = 0] = yield reads('I#', 'looks for its tags', (world) => [world.get(layout.hint(r, m))]);
  if (!hint) return [];
  const [tag = 0] = yield reads('T#', 'reads them', (world) => [world.get(layout.tag(r, m))]);
  const forget = { cell: layout.hint(r, m), to: become(0) };
  return tag
    ? [
        { cell: layout.tag(r, m), when: present, to: become(0) },
        { cell: layout.tagContent(r, m), to: become(0) },
        forget,
      ]
    : [forget];
}

/** Somebody who moves the tag to another manifest; the entry of the index stays. */
export function moveTagAway(
  { layout }: Protocol,
  { repository: r = 0, manifest: m }: DeletionOptions,
): Actor {
  const attempt: Phase = function* () {
    yield writes('# T#', 'moves the tag to another manifest', () => [
      { cell: layout.version(r), to: plus(1) },
      { cell: layout.tag(r, m), to: become(0) },
      { cell: layout.tagContent(r, m), to: become(0) },
    ]);
    return 'end';
  };
  return { name: 'move of the tag', start: go(attempt) };
}

/** Retention, which removes a manifest that no tag is on and that nobody has touched for long. It is no deletion that
 *  pushes must start again for: whoever is about to use the manifest has touched it. */
export function retention(protocol: Protocol, { repository: r = 0, manifest: m }: DeletionOptions): Actor {
  const { layout, omits } = protocol;
  const attempt: Phase = function* () {
    const [epoch = 0] = yield reads('#', 'reads the epoch', (world) => [world.get(layout.epoch(r))]);
    const [touched = 0] = yield reads('M#', 'looks for the manifest', (world) => [
      world.get(layout.manifest(r, m)),
    ]);
    const isOld = touched - 1 <= epoch - 2;
    if (!touched || !isOld) return 'end';
    const [tag = 0] = yield reads('I# T#', 'looks for tags', (world) => [world.get(layout.tag(r, m))]);
    if (tag) return 'end';
    const isUsed = yield* looksForUsers(protocol, r, layout.shape.blobs + m);
    if (isUsed) return 'end';
    const [grave = 0] = yield reads('G#', 'looks into its grave', (world) => [world.get(layout.grave(r, m))]);
    const blind = omits('retention removes whatever was touched');
    yield writes('# M# G#', 'moves the manifest into its grave', (world) =>
      bury(protocol, world, { repository: r, manifest: m, grave }, blind ? present : equals(touched)),
    );
    return 'end';
  };
  return { name: 'retention', start: go(attempt) };
}
