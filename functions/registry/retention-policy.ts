/** Ours: places of a rule, which a saved ranking has room for. A rule of before, that gives more, keeps all that it matches. */
export const MAX_PLACES = 4000;

/** What goes by itself. A tag that no rule matches stays; so does all that belongs to what stays. */
export interface Retention {
  /** Tags that are never deleted, whatever the rules say. */
  readonly pins?: readonly string[];
  readonly tags?: readonly TagRule[];
  /** Of manifests without a tag that belong to nothing. @default they stay */
  readonly untagged?: readonly UntaggedRule[];
  /** As `untagged` of one rule, that keeps what is newer than so many days. */
  readonly untaggedAfterDays?: number;
  /** Patterns of principals whose pulls do not count: scanners, mirrors. */
  readonly ignorePullsBy?: readonly string[];
  readonly run?: RunLimits;
}

/** How many places, and in which order, a rule has for what it counts. */
interface Places {
  /** The last so many, by the time they were put where they are. */
  readonly keepLast?: number;
  /** The so many that were pulled last; one that never was counts from the time it was put where it is. */
  readonly keepLastPulled?: number;
  /** Which things it counts. @default those that it matches, without what is pinned, held or just restored */
  readonly among?: Among;
}

export interface Among {
  readonly tags?: readonly string[];
  /** Manifests without a tag that belong to nothing, too. */
  readonly untagged?: boolean;
}

/** What a rule does not count, but keeps. Of those at least one, or `keepNone`, is there. */
interface Ages {
  /** Those that were put where they are within so many days. */
  readonly keepNewerThanDays?: number;
  /** Those whose config says that they were built within so many days. */
  readonly keepCreatedWithinDays?: number;
  /** None of those that it matches. */
  readonly keepNone?: true;
  /** What else the image must be, to be matched. */
  readonly where?: Where;
}

/** A tag that it matches stays while at least one of its clauses, or another rule that matches, keeps it. */
export interface TagRule extends Places, Ages {
  /** Patterns of tags: `v*`. */
  readonly match: readonly string[];
  readonly except?: readonly string[];
  /** With `image`, all tags of an image are matched, counted and deleted together, and the image with them. @default tag */
  readonly by?: 'tag' | 'image';
  /** By image: for each pattern it also has a tag. */
  readonly with?: readonly string[];
  /** `major` or `minor` of versions, or a pattern whose group says which tags have places of their own. */
  readonly per?: string;
  /** The so many that are the highest by semantic version. */
  readonly keepHighest?: number;
  /** Those that were pulled, or put where they are, within so many days. */
  readonly keepPulledWithinDays?: number;
}

/** Of manifests without a tag, the time is the latest of push, loss of the last tag, and last pull. */
export interface UntaggedRule extends Places, Ages {}

/** Who acts where a policy does; without one, the sweep. */
export const retentionActor = (policy: string | undefined) =>
  policy === undefined ? 'sweep' : `retention:${policy}`;

/** All that is said must be so; of several patterns one must match. */
export interface Where {
  readonly labels?: Readonly<Record<string, readonly string[]>>;
  readonly annotations?: Readonly<Record<string, readonly string[]>>;
  readonly artifactTypes?: readonly string[];
  readonly mediaTypes?: readonly string[];
}

/** Of all policies that cover a repository, the smallest number and the time that all allow hold. */
export interface RunLimits {
  /** Tags and manifests that one run deletes at most. */
  readonly maxDeletions?: number;
  /** Hours of a day in UTC, from 0 to 23: retention runs from the first to the second, which may be the next day's. */
  readonly hours?: readonly [from: number, to: number];
}
