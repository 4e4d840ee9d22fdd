import type { Actor, Model } from './explorer.ts';
import { checks } from './invariants.ts';
import type { Omission, Protocol } from './protocol.ts';
import { Layout, type Shape, World } from './world.ts';

/** What is there before anybody moves, all of it in the first epoch of its repository. */
interface Start {
  /** Repository and blob. */
  readonly links?: readonly (readonly [number, number])[];
  /** Repository and manifest, with its edges. */
  readonly manifests?: readonly (readonly [number, number])[];
  /** Those of them that a tag is on. */
  readonly tags?: readonly (readonly [number, number])[];
  /** Repository and manifest: deleted ones, with their edges. */
  readonly graves?: readonly (readonly [number, number])[];
  /** Repository and manifest: edges that a manifest has left. */
  readonly edges?: readonly (readonly [number, number])[];
  /** How many blobs the sweep has passed that ran out of time, in every repository. @default 0 */
  readonly passed?: number;
  /** The epochs of all repositories. @default 0 */
  readonly epoch?: number;
}

/** A small registry and who is at work in it. */
export interface Scenario {
  readonly shape: Shape;
  readonly start: Start;
  readonly actors: (protocol: Protocol) => readonly Actor[];
}

/** The scenario under the protocol, or under what is left of it. */
export function modelOf({ shape, start, actors }: Scenario, omission?: Omission): Model {
  const layout = new Layout(shape);
  const protocol: Protocol = { layout, omits: (other) => other === omission };
  return { world: worldOf(layout, start), actors: actors(protocol), check: checks(protocol) };
}

function worldOf(layout: Layout, start: Start): World {
  const world = new World(new Uint8Array(layout.size));
  const { epoch = 0, passed = 0 } = start;
  for (let r = 0; r < layout.shape.repositories; r += 1) {
    world.set(layout.epoch(r), epoch);
    world.set(layout.progress(r), passed);
  }
  for (const [r, blob] of start.links ?? []) addLink(layout, world, r, blob);
  for (const [r, m] of start.manifests ?? []) {
    world.set(layout.manifest(r, m), 1);
    world.set(layout.content(r, m), 1);
    world.set(layout.contents(r, m), 1);
    addEdges(layout, world, r, m);
  }
  for (const [r, m] of start.edges ?? []) addEdges(layout, world, r, m);
  for (const [r, m] of start.tags ?? []) {
    world.set(layout.tag(r, m), 1);
    world.set(layout.tagContent(r, m), 1);
    world.set(layout.hint(r, m), 1);
  }
  for (const [r, m] of start.graves ?? []) {
    const dug = world.get(layout.dug(r)) + 1;
    world.set(layout.dug(r), dug);
    world.set(layout.grave(r, m), dug);
    world.set(layout.graveContent(r, m), 1);
    world.set(layout.contents(r, m), 1);
    addEdges(layout, world, r, m);
  }
  return world;
}

function addLink(layout: Layout, world: World, r: number, blob: number): void {
  world.set(layout.link(r, blob), 1);
  world.set(layout.linkObject(r, blob), 1);
  world.set(layout.linker(r, blob), 1);
  world.set(layout.links(blob), world.get(layout.links(blob)) + 1);
  world.set(layout.object(blob), 1);
  world.set(layout.written(blob), 1);
}

function addEdges(layout: Layout, world: World, r: number, m: number): void {
  for (const target of layout.targetsOf(m)) world.set(layout.edge(r, target, m), 1);
}
