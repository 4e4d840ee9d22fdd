/** A text as its numbers and what stands between them: `v1.10-rc2` is v, 1, ., 10, -rc, 2. */
const PARTS = /\d+|\D+/g;

/** What stands behind a version and makes it an earlier one: `-rc.1`, `-beta`. */
const PRE_RELEASE = /^[-.~]?(?:alpha|beta|rc|pre|preview|dev|snapshot|m)(?![a-z])/i;

/** Orders tags as people read versions: numbers by their value, a pre-release before its release. Total: two that read the
 *  same are in the order of their characters, so 0 means equal. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  for (let at = 0; at < left.length || at < right.length; at += 1) {
    const order = compareParts(left[at], right[at]);
    if (order !== 0) return order;
  }
  return compareTexts(a, b);
}

type Part = string | bigint;

const partsOf = (text: string): readonly Part[] =>
  (text.replace(/^v(?=\d)/i, '').match(PARTS) ?? []).map((part) => (/^\d/.test(part) ? BigInt(part) : part));

/** An end stands before what goes on, but after a pre-release; and text that begins one before a number. */
function compareParts(a: Part | undefined, b: Part | undefined): number {
  const [first, second] = [rankOf(a), rankOf(b)];
  if (first !== second) return first - second;
  if (typeof a === 'bigint' && typeof b === 'bigint') return a < b ? -1 : Number(a > b);
  return compareTexts(String(a ?? ''), String(b ?? ''));
}

/** Pre-releases, then the end, then other text, then numbers. */
function rankOf(part: Part | undefined): number {
  if (part === undefined) return 1;
  if (typeof part === 'bigint') return 3;
  return PRE_RELEASE.test(part) ? 0 : 2;
}

const compareTexts = (a: string, b: string) => (a < b ? -1 : Number(a > b));
