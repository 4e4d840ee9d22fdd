import type { Digest } from '../../functions/oci/digest.ts';
import type { RepositoryName, Tag } from '../../functions/oci/reference.ts';
import type { Retention } from '../../functions/registry/policies.ts';
import { MANIFESTS, REPOSITORIES, type SimulatedBlob, type SimulatedManifest, TAGS } from './content.ts';
import { Random } from './random.ts';

interface Push {
  readonly is: 'push';
  readonly repository: RepositoryName;
  readonly manifest: SimulatedManifest;
  readonly tag: Tag | undefined;
  /** Of blobs: asks first whether each is there, sends each, or mounts what is elsewhere. */
  readonly manner: 'ask' | 'send' | 'mount';
}

interface Pull {
  readonly is: 'pull';
  readonly repository: RepositoryName;
  readonly tag: Tag;
}

type Delete = {
  readonly is: 'delete';
  readonly repository: RepositoryName;
} & (
  | { readonly what: 'tag'; readonly tag: Tag }
  | { readonly what: 'manifest' | 'blob'; readonly digest: Digest }
  | { readonly what: 'repository' }
);

/** Brings back a tag that was deleted, or a manifest. */
interface Restore {
  readonly is: 'restore';
  readonly repository: RepositoryName;
  readonly tag: Tag | undefined;
  readonly manifest: SimulatedManifest;
}

/** Begins an upload, sends some of it and cancels it or goes away. */
interface Upload {
  readonly is: 'upload';
  readonly repository: RepositoryName;
  readonly end: 'cancel' | 'leave' | 'wrong digest' | 'finish';
}

interface Sweep {
  readonly is: 'sweep';
  readonly repository: RepositoryName;
  /** Whether an epoch goes by before. */
  readonly isLater: boolean;
  /** Whether it ends after a page, and the next one goes on. */
  readonly isShort: boolean;
}

interface Drain {
  readonly is: 'drain';
}

/** What one party does from beginning to end. */
export type Task = Push | Pull | Delete | Restore | Upload | Sweep | Drain;
export type { Delete, Pull, Push, Restore, Sweep, Upload };

/** What every party of a run does, one task after the other; it follows from the seed. */
export interface Plan {
  readonly seed: number;
  readonly quarantineMs: number;
  /** What retention keeps, where there is a policy. */
  readonly retention: Retention | undefined;
  /** One after the other, before the others begin: so there is something old to meet at. */
  readonly before: readonly Task[];
  readonly actors: readonly { readonly name: string; readonly tasks: readonly Task[] }[];
}

const DAY = 24 * 60 * 60 * 1000;

/** What a run is about: the fewer things there are, the more often its clients meet at them. */
interface Scene {
  readonly random: Random;
  readonly repositories: readonly RepositoryName[];
  readonly manifests: readonly SimulatedManifest[];
  readonly blobs: readonly SimulatedBlob[];
  readonly tags: readonly Tag[];
  /** Of ten tasks of clients, how many are pushes. */
  readonly pushes: number;
}

/** The most that a policy can delete: all tags but the last, and untagged manifests as soon as nobody may be about to use
 *  them. */
const RETENTION: Retention = { tags: [{ match: ['*'], keepLast: 1 }], untaggedAfterDays: 0 };

/** The plan that follows from the seed. */
export function planOf(seed: number): Plan {
  const random = new Random(seed);
  const scene = sceneOf(random);
  const many = (count: number, make: () => Task) => Array.from({ length: count }, make);
  const before = many(random.below(8), () => (random.chance(0.4) ? sweepTask(scene) : clientTask(scene)));
  const clients = Array.from({ length: 2 + random.below(2) }, (_, index) => ({
    name: `client-${index + 1}`,
    tasks: many(1 + random.below(3), () => clientTask(scene)),
  }));
  const sweepers = ['sweep-1', 'sweep-2'].map((name) => ({
    name,
    tasks: many(random.below(5), () => sweepTask(scene)),
  }));
  const drain = { name: 'drain', tasks: many(random.below(2), () => ({ is: 'drain' })) };
  const quarantineMs = random.pick([0, 0, DAY]);
  const retention = random.chance(0.3) ? RETENTION : undefined;
  return { seed, quarantineMs, retention, before, actors: [...clients, ...sweepers, drain] };
}

function sceneOf(random: Random): Scene {
  const some = <T>(list: readonly T[], most: number) =>
    Array.from({ length: 1 + random.below(most) }, () => random.pick(list));
  const manifests = some(MANIFESTS, 3);
  const used = manifests.flatMap(({ blobs, children }) => [
    ...blobs,
    ...children.flatMap((each) => each.blobs),
  ]);
  return {
    random,
    repositories: random.pick([
      REPOSITORIES,
      REPOSITORIES.slice(0, 1),
      [...REPOSITORIES, ...REPOSITORIES.slice(0, 1)],
    ]),
    manifests: [...manifests, ...manifests.flatMap(({ children }) => children)],
    blobs: used,
    tags: some(TAGS, 2),
    pushes: 2 + random.below(7),
  };
}

function sweepTask({ random, repositories }: Scene): Sweep {
  const [isLater, isShort] = [random.chance(0.8), random.chance(0.1)];
  return { is: 'sweep', repository: random.pick(repositories), isLater, isShort };
}

function clientTask(scene: Scene): Task {
  const { random } = scene;
  const repository = random.pick(scene.repositories);
  if (random.below(10) < scene.pushes) return pushTask(scene, repository);
  const kind = random.below(22);
  if (kind < 4) return { is: 'pull', repository, tag: random.pick(scene.tags) };
  if (kind < 7) return { is: 'delete', what: 'tag', repository, tag: random.pick(scene.tags) };
  if (kind < 13)
    return { is: 'delete', what: 'manifest', repository, digest: random.pick(scene.manifests).digest };
  if (kind < 17) return { is: 'delete', what: 'blob', repository, digest: random.pick(scene.blobs).digest };
  if (kind < 18) return { is: 'delete', what: 'repository', repository };
  if (kind < 21) {
    const tag = random.chance(0.5) ? random.pick(scene.tags) : undefined;
    return { is: 'restore', repository, tag, manifest: random.pick(scene.manifests) };
  }
  return { is: 'upload', repository, end: random.pick(['cancel', 'leave', 'wrong digest', 'finish']) };
}

function pushTask({ random, manifests, tags }: Scene, repository: RepositoryName): Push {
  const tag = random.chance(0.8) ? random.pick(tags) : undefined;
  const manner = random.pick(['ask', 'ask', 'send', 'mount'] as const);
  return { is: 'push', repository, manifest: random.pick(manifests), tag, manner };
}

/** The task in a line. */
export function taskText(task: Task): string {
  const { is, ...rest } = task;
  const told = Object.entries(rest).map(
    ([name, value]) => `${name} ${typeof value === 'object' ? value.name : value}`,
  );
  return `${is} ${told.join(', ')}`;
}
