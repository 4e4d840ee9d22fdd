/** Ours: values in a manifest; 10,000 descriptors have four each, and the largest images known a few thousand layers. One with
 *  more could not be read within 50 ms, which is the longest that one request may keep all others. */
export const MAX_JSON_VALUES = 50_000;

/** Ours: what lies within one another. Manifests nest four deep. */
export const MAX_JSON_DEPTH = 64;

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [BRACKET, BRACE, END_BRACKET, END_BRACE] = [0x5b, 0x7b, 0x5d, 0x7d];

/** Why a text is more than a reader of JSON should be given, by one look at each byte; `undefined` where it is not. Of what is no
 *  JSON it says nothing. */
export function excessIn(json: Uint8Array): string | undefined {
  let [values, depth, isQuoted] = [0, 0, false];
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at];
    if (byte === QUOTE) isQuoted = !isQuoted;
    else if (isQuoted) at += Number(byte === BACKSLASH);
    else if (byte === COMMA) values += 1;
    else if (byte === BRACKET || byte === BRACE) {
      values += 1;
      depth += 1;
    } else if (byte === END_BRACKET || byte === END_BRACE) depth -= 1;
    if (values > MAX_JSON_VALUES) return `more than ${MAX_JSON_VALUES} values`;
    if (depth > MAX_JSON_DEPTH) return `values that lie more than ${MAX_JSON_DEPTH} deep in one another`;
  }
  return undefined;
}
