import { type Actor, go, type Next, type Part, type Phase } from './explorer.ts';
import {
  bury,
  endPushes,
  looksForPushes,
  looksForUsers,
  marks,
  type Protocol,
  reads,
  unlink,
  writes,
} from './protocol.ts';
import { become, type Change, equals, present } from './world.ts';

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
    const [link = 0, seen = 0, links = 0, object = 0] = yield reads(
      'B# D#',
      'reads link and digest',
      (world) => [
        world.get(layout.link(r, blob)),
        world.get(layout.going(r, blob)),
        world.get(layout.links(blob)),
        world.get(layout.object(blob)),
      ],
    );
    if (!link) return 'end';
    if (yield* looksForUsers(protocol, r, blob)) return 'end';
    const mark = yield* marks(protocol, r, blob, seen);
    return mark ? go(remove, mark, links, object) : go(attempt);
  };
  const remove: Phase = function* (mark = 0, links = 0, object = 0) {
    const blind = omits('a blob is deleted without another look once it is marked');
    const pushes = blind ? [] : yield* looksForPushes(protocol, r, blob);
    if (!pushes) return 'end';
    const looks = !omits('a blob is deleted whoever has taken its mark off');
    const ends = !omits('a blob is deleted and pushes of what uses it are not ended');
    const [committed] = yield writes(pushes.length > 0 ? 'B# D# Y#' : 'B# D#', 'removes the link', () => [
      { cell: layout.going(r, blob), ...(looks && { when: equals(mark) }) },
      ...(ends ? endPushes(protocol, r, pushes) : []),
      ...unlink(protocol, r, blob, { links, object }),
      { cell: layout.unwanted(r, blob), to: become(1) },
    ]);
    return committed ? 'end' : go(attempt);
  };
  return { name: 'delete of the blob', start: go(attempt) };
}

/** Somebody who deletes a manifest with its tag; as `deleteManifest`. With `beyond`, the tag is one of more than twenty. */
export function deleteManifest(
  protocol: Protocol,
  options: DeletionOptions & { readonly beyond?: boolean },
): Actor {
  const { layout, omits } = protocol;
  const { repository: r = 0, manifest: m, beyond = false } = options;
  const target = layout.shape.blobs + m;
  const attempt: Phase = function* (): Part<Next> {
    const [found, grave = 0, seen = 0] = yield* readDoomed(protocol, r, m);
    if (!found) return 'end';
    if (yield* looksForUsers(protocol, r, target)) return 'end';
    const mark = yield* marks(protocol, r, target, seen);
    return mark ? go(remove, mark, grave) : go(attempt);
  };
  const remove: Phase = function* (mark = 0, grave = 0): Part<Next> {
    const pushes = yield* looksForPushes(protocol, r, target);
    if (!pushes) return 'end';
    const isAlone = !beyond || (yield* removeTagsBeyond(protocol, r, m, mark));
    if (!isAlone) return go(attempt);
    const tags = yield* untag(protocol, r, m);
    const looks = !omits('a manifest is deleted whoever has taken its mark off');
    const ends = !omits('a manifest is deleted and pushes of what lists it are not ended');
    const kinds = pushes.length > 0 ? 'M# G# Y#' : 'M# G#';
    const [committed] = yield writes(kinds, 'moves the manifest into its grave', (world) => [
      { cell: layout.going(r, target), ...(looks && { when: equals(mark) }) },
      ...(ends ? endPushes(protocol, r, pushes) : []),
      ...bury(protocol, world, { repository: r, manifest: m, grave }, present),
      { cell: layout.unwanted(r, target), to: become(1) },
      ...tags,
    ]);
    return committed ? 'end' : go(attempt);
  };
  return { name: 'delete of the manifest', start: go(attempt) };
}

/** When the manifest was touched, what lies in its grave, and the mark that is on it. */
function* readDoomed({ layout }: Protocol, r: number, m: number): Part<readonly number[]> {
  return yield reads('M# G#', 'looks for the manifest and its grave', (world) => [
    world.get(layout.manifest(r, m)),
    world.get(layout.grave(r, m)),
    world.get(layout.going(r, layout.shape.blobs + m)),
  ]);
}

/** Tells whether it won. */
function* removeTagsBeyond(protocol: Protocol, r: number, m: number, mark: number): Part<boolean> {
  const { layout, omits } = protocol;
  const changes = yield* untag(protocol, r, m);
  if (changes.length === 0) return true;
  const blind = omits('tags beyond twenty go whoever has taken the mark off');
  const [gone] = yield writes('M# T# I#', 'removes some tags', () => [
    { cell: layout.going(r, layout.shape.blobs + m), ...(!blind && { when: equals(mark) }) },
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
    yield writes('T#', 'moves the tag to another manifest', () => [
      { cell: layout.tag(r, m), to: become(0) },
      { cell: layout.tagContent(r, m), to: become(0) },
    ]);
    return 'end';
  };
  return { name: 'move of the tag', start: go(attempt) };
}

/** Retention, which removes a manifest that no tag is on and that nobody has touched for long. Nobody has asked for it at
 *  that moment: whoever is about to use the manifest wins. */
export function retention(protocol: Protocol, { repository: r = 0, manifest: m }: DeletionOptions): Actor {
  const { layout, omits } = protocol;
  const target = layout.shape.blobs + m;
  const readTag = (says: string) => reads('I# T#', says, (world) => [world.get(layout.tag(r, m))]);
  const attempt: Phase = function* () {
    const [epoch = 0] = yield reads('#', 'reads the epoch', (world) => [world.get(layout.epoch(r))]);
    const [touched = 0, grave = 0, seen = 0] = yield* readDoomed(protocol, r, m);
    const isOld = touched - 1 <= epoch - 2;
    if (!touched || !isOld) return 'end';
    const [tag = 0] = yield readTag('looks for tags');
    if (tag || (yield* looksForUsers(protocol, r, target))) return 'end';
    const mark = yield* marks(protocol, r, target, seen);
    return mark ? go(remove, mark, touched, grave) : 'end';
  };
  const remove: Phase = function* (mark = 0, touched = 0, grave = 0) {
    const pushes = yield* looksForPushes(protocol, r, target);
    if (!pushes || pushes.length > 0) return 'end';
    const blind = omits('retention does not look for tags once it has marked');
    const [tag = 0] = blind ? [] : yield readTag('looks for tags again');
    if (tag) return 'end';
    const always = omits('retention removes whatever was touched');
    const unmarked = omits('retention removes whoever has taken the mark off');
    yield writes('M# G#', 'moves the manifest into its grave', (world) => [
      { cell: layout.going(r, target), ...(!unmarked && { when: equals(mark) }) },
      ...bury(protocol, world, { repository: r, manifest: m, grave }, always ? present : equals(touched)),
    ]);
    return 'end';
  };
  return { name: 'retention', start: go(attempt) };
}
