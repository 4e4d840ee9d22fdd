import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';

/** What the rules are told of a tag. Times are milliseconds since 1970; what only some rules need is absent until it was
 *  looked up. */
export interface TagFacts {
  readonly tag: Tag;
  readonly digest: Digest;
  readonly taggedAt: number;
  readonly restoredAt?: number;
  readonly isHeld?: boolean;
  /** The last pull of the tag, of its manifest, of one that this lists, or of one that lists this. */
  readonly pulledAt?: number | 'never';
  readonly image?: ImageFacts;
  /** All other tags on the same manifest; those of them that go are deleted with this one, at once. */
  readonly siblings?: readonly Sibling[];
  /** Whether there are more of them than were looked at. */
  readonly hasMore?: boolean;
}

export type Sibling = Pick<TagFacts, 'tag' | 'taggedAt' | 'restoredAt'>;

export interface ImageFacts {
  /** Of the config; of an index, of its first platform. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Of a manifest without one, the media type of its config. */
  readonly artifactType?: string;
  readonly mediaType: string;
  /** When it was built, as its config says. */
  readonly createdAt?: number;
  readonly bytes?: number;
}

/** An untagged manifest that belongs to nothing. */
export interface UntaggedFacts {
  readonly digest: Digest;
  /** The latest of its push, the loss of its last tag, and its last pull. */
  readonly since: number;
  readonly isHeld?: boolean;
  /** When a rule by image deleted a tag of it. */
  readonly retiredAt?: number;
  readonly image?: ImageFacts;
}

/** What has to be looked up before a verdict. */
export type Need = 'pulls' | 'image' | 'siblings';

export interface Kept {
  readonly keeps: true;
  readonly reason: string;
}

export interface Gone {
  readonly keeps: false;
  readonly reason: string;
  readonly policy: string;
  /** Which of the policy's rules for tags, or for untagged manifests, from 0. */
  readonly rule: number;
  /** Its place among the `of` that the rule counts, from 1, where it is known. */
  readonly rank?: number;
  readonly of?: number;
  /** The rule is by image: the manifest goes with its last tag. */
  readonly byImage?: boolean;
}

export type Verdict = Kept | Gone | { readonly needs: Need };
