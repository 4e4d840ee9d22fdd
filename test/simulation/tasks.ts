import type { Digest } from '../../functions/oci/digest.ts';
import type { RepositoryName, Tag } from '../../functions/oci/reference.ts';
import type { Policy, Retention } from '../../functions/registry/policies.ts';
import {
  MANIFESTS,
  PIECES,
  REPOSITORIES,
  type SimulatedBlob,
  type SimulatedManifest,
  TAGS,
} from './content.ts';
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

/** A request to an upload that others write to, too; opens one where there is none. */
interface Session {
  readonly is: 'session';
  readonly repository: RepositoryName;
  /** Which of them. */
  readonly slot: number;
  /** `direct` is a PUT to the store itself. */
  readonly act: 'append' | 'close' | 'direct' | 'cancel' | 'look';
  /** Which bytes it carries; nothing at all where there is none. */
  readonly piece: number | undefined;
  /** Of the body, in chunks that come one by one. */
  readonly chunks: number;
  /** Whether a `close` names the digest of what was there before it. */
  readonly isWrong: boolean;
  /** How often its client tries. */
  readonly attempts: number;
}

/** S3 tells that an object was written. */
interface ObjectEvent {
  readonly is: 'event';
  readonly slot: number;
}

/** What one party does from beginning to end. */
export type Task = Push | Pull | Delete | Restore | Upload | Sweep | Drain | Session | ObjectEvent;
export type { Delete, ObjectEvent, Pull, Push, Restore, Session, Sweep, Upload };

/** What every party of a run does, one task after the other; it follows from the seed. */
export interface Plan {
  readonly seed: number;
  readonly kind: 's3' | 'directory';
  readonly quarantineMs: number;
  /** What holds for all repositories, where anything does. */
  readonly policy: Omit<Policy, 'name' | 'repositories'> | undefined;
  /** Whether clients may write to S3 themselves. */
  readonly isDirect: boolean;
  /** Whether the database has no room now and then. */
  readonly isFull: boolean;
  /** By how much the clock of whoever drains the outbox is ahead. */
  readonly drainSkewMs: number;
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
  /** And of all, how many are about uploads that several write to: from 0 to 1. */
  readonly sessions: number;
  readonly slots: number;
}

/** The most that a policy can delete: all tags but the last, and untagged manifests as soon as nobody may be about to use
 *  them. */
const RETENTION: Retention = { tags: [{ match: ['*'], keepLast: 1 }], untaggedAfterDays: 0 };

/** Some uploads and no image, an image and an upload, or the one that is an object and another; nothing more. And a tag. */
const quotaOf = (random: Random) => ({ each: { bytes: random.pick([40, 450, 17_700]), tags: 1 } });

function policyOf(random: Random): Plan['policy'] {
  const which = random.below(20);
  if (which < 5) return { retention: RETENTION };
  if (which < 8) return { quota: quotaOf(random) };
  if (which < 9) return { immutable: { tags: ['v1'] } };
  return which === 9
    ? { retention: RETENTION, quota: quotaOf(random), immutable: { tags: ['v1'] } }
    : undefined;
}

/** The plan that follows from the seed. */
export function planOf(seed: number): Plan {
  const random = new Random(seed);
  const scene = sceneOf(random);
  const kind = random.pick(['s3', 'directory'] as const);
  const isDirect = kind === 's3' && random.chance(0.4);
  const drainSkewMs = random.chance(0.08) ? 9 * DAY : 0;
  const isFull = kind === 'directory' && random.chance(0.2);
  const first = isFull && random.chance(0.5) ? likeOneAnother(scene) : [];
  const before = many(random.below(scene.sessions > 0.5 ? 3 : 8), () =>
    random.chance(0.4) ? sweepTask(scene) : clientTask(scene),
  );
  const actors = actorsOf(scene, { isDirect, drainSkewMs });
  const quarantineMs = random.pick([0, 0, DAY]);
  const policy = policyOf(random);
  return {
    seed,
    kind,
    quarantineMs,
    policy,
    isDirect,
    isFull,
    drainSkewMs,
    before: [...first, ...before],
    actors,
  };
}

/** Where a chunk may be refused: another one of its length, and then the end. */
function likeOneAnother({ random, repositories }: Scene): Session[] {
  const common = {
    is: 'session',
    repository: random.pick(repositories),
    slot: 0,
    chunks: 1,
    attempts: 1,
  } as const;
  const append = (piece: number) => ({ ...common, act: 'append', piece, isWrong: false }) as const;
  const end = { ...common, act: 'close', piece: undefined, isWrong: random.chance(0.5) } as const;
  return [append(0), append(1), append(2), end];
}

const many = (count: number, make: () => Task) => Array.from({ length: count }, make);

/** Requests to uploads are short: there are more of them, and fewer sweeps. */
function actorsOf(
  scene: Scene,
  { isDirect, drainSkewMs }: Pick<Plan, 'isDirect' | 'drainSkewMs'>,
): Plan['actors'] {
  const { random, sessions, slots } = scene;
  const isShort = sessions > 0.5;
  const clients = Array.from({ length: 2 + random.below(2) }, (_, index) => ({
    name: `client-${index + 1}`,
    tasks: many(1 + random.below(isShort ? 8 : 4), () => clientTask(scene)),
  }));
  const sweepers = ['sweep-1', 'sweep-2'].map((name) => ({
    name,
    tasks: many(random.below(isShort ? 2 : 5), () => sweepTask(scene)),
  }));
  const drains = drainSkewMs > 0 ? 1 + random.below(4) : random.below(2);
  const events = isDirect ? random.below(4) : 0;
  return [
    ...clients,
    ...sweepers,
    { name: 'drain', tasks: many(drains, () => ({ is: 'drain' })) },
    { name: 'event', tasks: many(events, () => ({ is: 'event', slot: random.below(slots) })) },
  ];
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
    sessions: random.pick([0, 0, 0, 0.2, 1, 1]),
    slots: random.pick([1, 1, 2]),
  };
}

function sweepTask({ random, repositories }: Scene): Sweep {
  const [isLater, isShort] = [random.chance(0.8), random.chance(0.1)];
  return { is: 'sweep', repository: random.pick(repositories), isLater, isShort };
}

function clientTask(scene: Scene): Task {
  const { random } = scene;
  const repository = random.pick(scene.repositories);
  if (random.chance(scene.sessions)) return sessionTask(scene, repository);
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

const ACTS = [
  'append',
  'append',
  'append',
  'close',
  'close',
  'close',
  'close',
  'direct',
  'look',
  'cancel',
] as const;

function sessionTask({ random, slots }: Scene, repository: RepositoryName): Session {
  const act = random.pick(ACTS);
  const isEmpty = act === 'close' ? random.chance(0.5) : random.chance(0.05);
  const most = random.chance(0.5) ? 3 : PIECES.length; // the first are of a length, or small
  const piece = isEmpty && act !== 'direct' ? undefined : random.below(most);
  const [slot, chunks, isWrong] = [random.below(slots), random.pick([1, 1, 2]), random.chance(0.1)];
  const attempts = random.pick([1, 1, 3]);
  return { is: 'session', repository, slot, act, piece, chunks, isWrong, attempts };
}

/** The task in a line. */
export function taskText(task: Task): string {
  const { is, ...rest } = task;
  const told = Object.entries(rest).map(
    ([name, value]) => `${name} ${typeof value === 'object' ? value.name : value}`,
  );
  return `${is} ${told.join(', ')}`;
}
