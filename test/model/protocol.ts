import type { Part, Step } from './explorer.ts';
import {
  atLeast,
  atMost,
  become,
  type Change,
  equals,
  including,
  type Layout,
  plus,
  present,
  type World,
} from './world.ts';

/** What is left out of the protocol, to see that the search finds out. */
export type Omission =
  | 'a push commits in whatever epoch'
  | 'a push commits two epochs late'
  | 'a push commits without its intent'
  | 'a push commits on the intent of another push'
  | 'a push commits on an intent of another epoch'
  | 'a push does not touch'
  | 'a push lowers what others have touched'
  | 'a push writes its edges after its commit'
  | 'a push looks for what it uses before it writes its edges'
  | 'a push leaves marks on what it uses'
  | 'a push leaves the mark on its manifest'
  | 'a refused push takes its edges back and stays under way'
  | 'a refused push takes its edges back whoever has ended it'
  | 'a refused push of very many edges keeps its name while they go'
  | 'HEAD does not touch'
  | 'HEAD of a manifest does not touch'
  | 'a mount does not touch'
  | 'a mount counts without looking'
  | 'a blob is deleted whoever has taken its mark off'
  | 'a blob is deleted without another look once it is marked'
  | 'a blob is deleted and pushes of what uses it are not ended'
  | 'a delete looks for manifests first and pushes second'
  | 'a manifest is deleted whoever has taken its mark off'
  | 'a manifest is deleted and pushes of what lists it are not ended'
  | 'tags beyond twenty go whoever has taken the mark off'
  | 'the sweep takes what was touched an epoch ago'
  | 'the sweep reads which manifests are there before it raises the epoch'
  | 'the sweep ends pushes once it has removed what is old'
  | 'the sweep ends pushes only where it begins anew'
  | 'the sweep removes links whoever has touched them'
  | 'the sweep removes edges whoever has touched them'
  | 'the sweep lets young edges hold nothing'
  | 'the last link goes without a look at the others'
  | 'graves hold nothing'
  | 'graves are looked for before manifests'
  | 'a grave goes whatever lies in it now'
  | 'a restore is no push'
  | 'retention removes whatever was touched'
  | 'retention removes whoever has taken the mark off'
  | 'retention does not look for tags once it has marked'
  | 'a push takes whatever object a manifest has'
  | 'a grave is dug over another';

/** What all programs of a model have in common. */
export interface Protocol {
  readonly layout: Layout;
  readonly omits: (omission: Omission) => boolean;
}

export const reads = (items: string, says: string, run: (world: World) => readonly number[]): Step => ({
  call: `read ${items}`,
  says,
  run,
});

/** A transaction. */
export const writes = (items: string, says: string, changes: (world: World) => readonly Change[]): Step => ({
  call: `write ${items}`,
  says,
  run: (world) => [world.write(changes(world)) ? 1 : 0],
});

/** Reads the manifests whose edges point at a target, and tells whether any of them is there; as `manifestsUsing`. */
export function* looksForUsers({ layout }: Protocol, r: number, target: number): Part<boolean> {
  const all = layout.shape.manifests.map((_, m) => m);
  const edges = yield reads('E#', 'looks for edges to it', (world) =>
    all.filter((m) => world.get(layout.edge(r, target, m))),
  );
  if (edges.length === 0) return false;
  const users = yield reads('M#', 'looks for their manifests', (world) =>
    edges.filter((m) => world.get(layout.manifest(r, m))),
  );
  return users.length > 0;
}

/** A push under way: of which manifest, and which one. */
interface PushUnderWay {
  readonly manifest: number;
  readonly by: number;
}

/** As `looksForUsers`, and the pushes under way of those manifests; as `usersOf`. `undefined` where a manifest is there. */
export function* looksForPushes(
  { layout, omits }: Protocol,
  r: number,
  target: number,
): Part<readonly PushUnderWay[] | undefined> {
  const all = layout.shape.manifests.map((_, m) => m);
  const edges = yield reads('E#', 'looks for edges to it', (world) =>
    all.filter((m) => world.get(layout.edge(r, target, m))),
  );
  if (edges.length === 0) return [];
  const lookForPushes = reads('Y#', 'looks for pushes of their manifests', (world) =>
    edges.map((m) => world.get(layout.intentBy(r, m))),
  );
  const lookForManifests = reads('M#', 'looks for their manifests', (world) =>
    edges.map((m) => world.get(layout.manifest(r, m))),
  );
  const isReversed = omits('a delete looks for manifests first and pushes second');
  const first = yield isReversed ? lookForManifests : lookForPushes;
  const second = yield isReversed ? lookForPushes : lookForManifests;
  const [pushes, manifests] = isReversed ? [second, first] : [first, second];
  if (manifests.some(Boolean)) return undefined;
  return edges.flatMap((manifest, index) => {
    const by = pushes[index] ?? 0;
    return by === 0 ? [] : [{ manifest, by }];
  });
}

/** The changes that end pushes, each on condition that it is under way. */
export const endPushes = ({ layout }: Protocol, r: number, pushes: readonly PushUnderWay[]): Change[] =>
  pushes.flatMap(({ manifest, by }) => [
    { cell: layout.intentBy(r, manifest), when: equals(by), to: become(0) },
    { cell: layout.intent(r, manifest), to: become(0) },
  ]);

/** Marks a target that is there, unless somebody has. Answers the mark; 0 where the target has gone. */
export function* marks({ layout }: Protocol, r: number, target: number, going: number): Part<number> {
  if (going > 0) return going;
  const kind = target < layout.shape.blobs ? 'B#' : 'M#';
  const [own = 0] = yield {
    call: `write ${kind}`,
    says: 'marks it as going',
    run: (world) => {
      const mark = world.get(layout.marks(r, target)) + 1;
      const isMarked = world.write([
        { cell: layout.target(r, target), when: present },
        { cell: layout.marks(r, target), to: become(mark) },
        { cell: layout.going(r, target), to: become(mark) },
      ]);
      return [isMarked ? mark : 0];
    },
  };
  return own;
}

/** The changes that move a manifest into its grave, on condition of when it was touched and of what lay in the grave when
 *  that was read. The object of what lay there goes. */
export function bury(
  { layout, omits }: Protocol,
  world: World,
  { repository: r, manifest: m, grave }: { repository: number; manifest: number; grave: number },
  when: (touched: number) => boolean,
): Change[] {
  const object = world.get(layout.content(r, m));
  const replaced = world.get(layout.graveContent(r, m));
  const forgets = omits('a grave is dug over another');
  return [
    { cell: layout.manifest(r, m), when, to: become(0) },
    { cell: layout.going(r, layout.shape.blobs + m), to: become(0) },
    { cell: layout.content(r, m), to: become(0) },
    { cell: layout.grave(r, m), when: equals(grave), to: become(world.get(layout.dug(r)) + 1) },
    { cell: layout.graveContent(r, m), to: become(object) },
    { cell: layout.dug(r), to: plus(1) },
    ...(grave && !forgets ? [{ cell: layout.discardedContents(r, m), to: including(replaced) }] : []),
  ];
}

/** The changes that take one link away, of a digest that was read so, and with the last one the object; as
 *  `unlinkOperations`. */
export function unlink(
  { layout, omits }: Protocol,
  r: number,
  blob: number,
  { links, object }: { links: number; object: number },
  when: (touched: number) => boolean = present,
): Change[] {
  const looks = !omits('the last link goes without a look at the others');
  const same = equals(object);
  return [
    { cell: layout.link(r, blob), when, to: become(0) },
    { cell: layout.going(r, blob), to: become(0) },
    { cell: layout.linkObject(r, blob), to: become(0) },
    { cell: layout.linker(r, blob), to: become(0) },
    ...(links > 1
      ? [
          { cell: layout.links(blob), when: looks ? atLeast(2) : present, to: plus(-1) },
          { cell: layout.object(blob), when: same },
        ]
      : [
          { cell: layout.links(blob), when: looks ? atMost(1) : present, to: become(0) },
          { cell: layout.object(blob), when: same, to: become(0) },
          { cell: layout.discarded(blob), to: including(object) },
        ]),
  ];
}
