// What a digest is, apart from the work of hashing: browsers read it too.

/** Digest algorithms a blob or manifest may be pushed under, each with the length of its hex encoding.
 *  https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#registered-algorithms */
const HEX_LENGTH = { sha256: 64, sha512: 128 } as const;

export type Algorithm = keyof typeof HEX_LENGTH;

/** A digest that has been parsed: `<algorithm>:<lower-case hex>`, of a registered algorithm and its length. */
export type Digest = string & { readonly __brand: 'Digest' };

/** What a registry uses where the client names no algorithm: a manifest pushed by tag, a plain upload. */
export const CANONICAL: Algorithm = 'sha256';

export function isAlgorithm(text: string): text is Algorithm {
  return Object.hasOwn(HEX_LENGTH, text);
}

/** The digest `text` spells, or `undefined` when it is malformed or its algorithm is not supported. */
export function parseDigest(text: string): Digest | undefined {
  const colon = text.indexOf(':');
  const algorithm = text.slice(0, Math.max(colon, 0));
  if (!isAlgorithm(algorithm)) return undefined;
  const encoded = text.slice(colon + 1);
  return encoded.length === HEX_LENGTH[algorithm] && /^[0-9a-f]+$/.test(encoded)
    ? (text as Digest)
    : undefined;
}

export function algorithmOf(digest: Digest): Algorithm {
  return digest.slice(0, digest.indexOf(':')) as Algorithm;
}
