import type { Part } from './explorer.ts';
import { type Protocol, reads, writes } from './protocol.ts';
import { absent, atMost, become, type Change, equals, including, plus, present } from './world.ts';

/** What a link can be made of: an object of the client's own, or whatever the digest has. */
type Origin = 'upload' | 'mount';

/** Links a blob into a repository, as `openRepository` and `linkOperations` do it. Answers the lease, one more than the
 *  epoch that the blob is safe since; 0 where the race was lost. */
export function* linkBlob(protocol: Protocol, r: number, blob: number, origin: Origin): Part<number> {
  const { layout } = protocol;
  const [epoch = 0] = yield reads('#', 'reads the epoch', (world) => [world.get(layout.epoch(r))]);
  const [link = 0] = yield reads('B#', 'looks for a link', (world) => [world.get(layout.link(r, blob))]);
  const [links = 0, object = 0] = yield reads('D#', 'reads the digest', (world) => [
    world.get(layout.links(blob)),
    world.get(layout.object(blob)),
  ]);
  if (!link && !links && origin === 'mount') return 0; // the source has gone
  const [committed] = yield writes('B# D#', 'links the blob', (world) => {
    const own = world.get(layout.written(blob)) + 1;
    const uploaded = origin === 'upload' ? [{ cell: layout.written(blob), to: become(own) }] : [];
    if (!link && !links) return [...uploaded, ...addLink(protocol, r, blob, epoch, { from: 0, to: own })];
    const lost = uploaded.map(() => ({ cell: layout.discarded(blob), to: including(own) }));
    const there = link
      ? [keepLink(protocol, origin, layout.link(r, blob), link, epoch)]
      : addLink(protocol, r, blob, epoch, { from: object, to: object });
    return [...uploaded, ...lost, ...there];
  });
  return committed ? epoch + 1 : 0;
}

function keepLink({ omits }: Protocol, origin: Origin, cell: number, link: number, epoch: number): Change {
  const none = origin === 'mount' && omits('a mount does not touch');
  if (link > epoch || none) return { cell, when: present };
  return { cell, when: (found) => present(found) && atMost(epoch + 1)(found), to: become(epoch + 1) };
}

/** On condition that the digest still has the object that was read, or still none. */
function addLink(
  { layout, omits }: Protocol,
  r: number,
  blob: number,
  epoch: number,
  object: { from: number; to: number },
): Change[] {
  const blind = object.from > 0 && omits('a mount counts without looking');
  return [
    { cell: layout.link(r, blob), when: absent, to: become(epoch + 1) },
    { cell: layout.linkObject(r, blob), to: become(object.to) },
    { cell: layout.linker(r, blob), to: become(1) },
    { cell: layout.object(blob), ...(!blind && { when: equals(object.from) }), to: become(object.to) },
    { cell: layout.links(blob), to: plus(1) },
  ];
}
