import type { Digest } from '../../functions/oci/digest.ts';
import type { RepositoryName, Tag } from '../../functions/oci/reference.ts';
import { BLOBS, MANIFESTS, REPOSITORIES, type SimulatedManifest, TAGS } from './content.ts';
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
export type Task = Push | Pull | Delete | Upload | Sweep | Drain;
export type { Delete, Pull, Push, Sweep, Upload };

/** What every party of a run does, one task after the other; it follows from the seed. */
export interface Plan {
  readonly seed: number;
  readonly quarantineMs: number;
  readonly actors: readonly { readonly name: string; readonly tasks: readonly Task[] }[];
}

const DAY = 24 * 60 * 60 * 1000;

export function planOf(seed: number): Plan {
  const random = new Random(seed);
  const many = (count: number, make: () => Task) => Array.from({ length: count }, make);
  const clients = Array.from({ length: 2 + random.below(3) }, (_, index) => ({
    name: `client-${index + 1}`,
    tasks: many(1 + random.below(5), () => clientTask(random)),
  }));
  const sweepers = ['sweep-1', 'sweep-2'].map((name) => ({
    name,
    tasks: many(1 + random.below(5), () => sweepTask(random)),
  }));
  const drain = { name: 'drain', tasks: many(random.below(2), () => ({ is: 'drain' })) };
  return { seed, quarantineMs: random.pick([0, 0, DAY]), actors: [...clients, ...sweepers, drain] };
}

/** Mostly the first, where all meet. */
const repositoryFor = (random: Random) =>
  (random.chance(0.8) ? REPOSITORIES[0] : REPOSITORIES[1]) as RepositoryName;

function sweepTask(random: Random): Sweep {
  const [isLater, isShort] = [random.chance(0.8), random.chance(0.1)];
  return { is: 'sweep', repository: repositoryFor(random), isLater, isShort };
}

function clientTask(random: Random): Task {
  const repository = repositoryFor(random);
  const kind = random.below(20);
  if (kind < 10) return pushTask(random, repository);
  if (kind < 12) return { is: 'pull', repository, tag: random.pick(TAGS) };
  if (kind < 14) return { is: 'delete', what: 'tag', repository, tag: random.pick(TAGS) };
  if (kind < 17) return { is: 'delete', what: 'manifest', repository, digest: random.pick(MANIFESTS).digest };
  if (kind < 18) return { is: 'delete', what: 'blob', repository, digest: random.pick(BLOBS).digest };
  if (kind < 19 || random.chance(0.5)) {
    return { is: 'upload', repository, end: random.pick(['cancel', 'leave', 'wrong digest', 'finish']) };
  }
  return { is: 'delete', what: 'repository', repository };
}

function pushTask(random: Random, repository: RepositoryName): Push {
  const tag = random.chance(0.8) ? random.pick(TAGS) : undefined;
  const manner = random.pick(['ask', 'ask', 'send', 'mount'] as const);
  return { is: 'push', repository, manifest: random.pick(MANIFESTS), tag, manner };
}

/** The task in a line. */
export function taskText(task: Task): string {
  const { is, ...rest } = task;
  const told = Object.entries(rest).map(
    ([name, value]) => `${name} ${typeof value === 'object' ? value.name : value}`,
  );
  return `${is} ${told.join(', ')}`;
}
