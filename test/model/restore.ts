import { type Actor, go, type Next, type Part, type Phase } from './explorer.ts';
import { type Protocol, reads, writes } from './protocol.ts';
import { Push } from './push.ts';
import { absent, become, plus } from './world.ts';

/** Somebody who brings a manifest back: what lies in its grave is pushed once more. */
export function restore(
  protocol: Protocol,
  { repository: r = 0, manifest }: { repository?: number; manifest: number },
): Actor {
  const { layout, omits } = protocol;
  const pushing = new Push(protocol, { repository: r, manifest });
  const dig: Phase = function* (): Part<Next> {
    const [grave = 0] = yield reads('G#', 'reads the grave', (world) => [
      world.get(layout.grave(r, manifest)),
    ]);
    if (!grave) return 'end';
    if (!omits('a restore is no push')) return go(pushing.begin, 0);
    yield writes('M#', 'puts the manifest back', (world) => [
      { cell: layout.manifest(r, manifest), when: absent, to: become(1) },
      { cell: layout.content(r, manifest), to: become(world.get(layout.contents(r, manifest)) + 1) },
      { cell: layout.contents(r, manifest), to: plus(1) },
    ]);
    return 'end';
  };
  return { name: 'restore', start: go(dig) };
}

/** The end of the quarantine of all that lies in graves at that moment. */
export function quarantineEnds({ layout }: Protocol, r = 0): Actor {
  const pass: Phase = function* () {
    yield writes('', 'the quarantine ends', (world) => [
      { cell: layout.over(r), to: become(world.get(layout.dug(r))) },
    ]);
    return 'end';
  };
  return { name: 'time', start: go(pass) };
}
