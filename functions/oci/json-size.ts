/** Ours: values in a manifest; 10,000 descriptors have four each, and the largest images known a few thousand layers. One with
 *  more could not be read within 50 ms, which is the longest that one request may keep all others. */
export const MAX_JSON_VALUES = 50_000;

/** Ours: what lies within one another. Manifests nest four deep. */
export const MAX_JSON_DEPTH = 64;

const [QUOTE, BACKSLASH] = [0x22, 0x5c];

/** What a byte outside of strings adds to the number of values, and to how deep it goes on; by its code. */
const VALUES = tableOf({ ',': 1, '[': 1, '{': 1 });
const DEPTH = tableOf({ '[': 1, '{': 1, ']': -1, '}': -1 });

function tableOf(changes: Readonly<Record<string, number>>): Int8Array {
  const table = new Int8Array(256);
  for (const [character, change] of Object.entries(changes)) table[character.charCodeAt(0)] = change;
  return table;
}

/** Why a text is more than a reader of JSON should be given, by one look at each byte; `undefined` where it is not. Of what is no
 *  JSON it says nothing. */
export function excessIn(json: Uint8Array): string | undefined {
  let [values, depth, isQuoted] = [0, 0, false];
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at] as number;
    if (byte === QUOTE) isQuoted = !isQuoted;
    else if (isQuoted) at += Number(byte === BACKSLASH);
    else {
      values += VALUES[byte] as number;
      depth += DEPTH[byte] as number;
      if (values > MAX_JSON_VALUES) return `more than ${MAX_JSON_VALUES} values`;
      if (depth > MAX_JSON_DEPTH) return `values that lie more than ${MAX_JSON_DEPTH} deep in one another`;
    }
  }
  return undefined;
}
