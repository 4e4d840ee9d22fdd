import { type Digest, parseDigest } from './digest-grammar.ts';

/** A repository name that matches the grammar and length of the specification. */
export type RepositoryName = string & { readonly __brand: 'RepositoryName' };

/** A tag that matches the grammar and length of the specification. */
export type Tag = string & { readonly __brand: 'Tag' };

/** What stands after `/manifests/`: a tag, or a digest. */
export type Reference =
  | { readonly kind: 'tag'; readonly tag: Tag }
  | { readonly kind: 'digest'; readonly digest: Digest };

/** Clients refuse longer names together with the registry's host; storage keys are sized for this. */
export const MAX_NAME_LENGTH = 255;

// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
/** Longer ones are none, too. */
export const REPOSITORY_NAME = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);
export const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/** The repository name `text` spells, or `undefined` when it breaks the grammar or is over 255 characters. */
export function parseRepositoryName(text: string): RepositoryName | undefined {
  return text.length <= MAX_NAME_LENGTH && REPOSITORY_NAME.test(text) ? (text as RepositoryName) : undefined;
}

export function parseTag(text: string): Tag | undefined {
  return TAG.test(text) ? (text as Tag) : undefined;
}

/** A digest where `text` is one, else a tag where it is one, else `undefined`. */
export function parseReference(text: string): Reference | undefined {
  const digest = parseDigest(text);
  if (digest) return { kind: 'digest', digest };
  const tag = parseTag(text);
  return tag && { kind: 'tag', tag };
}
