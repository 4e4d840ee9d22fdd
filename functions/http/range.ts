/** Both ends inclusive. */
export interface Part {
  readonly first: number;
  readonly last: number;
}

/** What a Range header asks of a body of known size. `parts`: several were asked for, of which one or more are left. */
export type RangeRequest =
  | { readonly is: 'whole' }
  | { readonly is: 'unsatisfiable' }
  | ({ readonly is: 'part' } & Part)
  | { readonly is: 'parts'; readonly parts: readonly Part[] };

/** Ours: podman asks for as many at the most, to bring an image of zstd:chunked up to date. */
const MAX_RANGES = 1024;

/** Reads `Range`. What a server may ignore (other units, bad syntax) is the whole body; a range that holds no byte of it, `500-0`
 *  included, is left out, and where none is left, or too many were asked for, all is unsatisfiable. Of several each is
 *  a part of its own, in their order: clients count them. Those that overlap become one, so that no more is sent than there is.
 *  https://www.rfc-editor.org/rfc/rfc9110#section-14.2 */
export function parseRange(header: string | null, size: number): RangeRequest {
  const [, list = ''] = /^bytes=(.*)$/i.exec(header ?? '') ?? [];
  const asked = list.split(',').map((one) => one.trim());
  const specs = asked.filter((one) => one !== ''); // a list may have empty places
  if (specs.length === 0 || !specs.every((one) => /^(?:\d+-\d*|-\d+)$/.test(one))) return { is: 'whole' };
  if (specs.length > MAX_RANGES) return { is: 'unsatisfiable' };
  const parts = specs.map((one) => partOf(one, size)).filter(({ first, last }) => first <= last);
  const [part] = parts;
  if (!part) return { is: 'unsatisfiable' };
  return specs.length === 1 ? { is: 'part', ...part } : { is: 'parts', parts: apart(parts) };
}

function partOf(spec: string, size: number): Part {
  const [from = '', to = ''] = spec.split('-');
  if (from === '') return { first: Math.max(size - Number(to), 0), last: size - 1 };
  return { first: Number(from), last: to === '' ? size - 1 : Math.min(Number(to), size - 1) };
}

/** As they are where none overlaps another; else in the order of their bytes. */
function apart(parts: readonly Part[]): readonly Part[] {
  const joined: Part[] = [];
  for (const part of parts.toSorted((a, b) => a.first - b.first)) {
    const before = joined.at(-1);
    if (!before || part.first > before.last) joined.push(part);
    else joined[joined.length - 1] = { first: before.first, last: Math.max(before.last, part.last) };
  }
  return joined.length === parts.length ? parts : joined;
}

/** Reads `Content-Range` of a chunk, `<first>-<last>` as the specification has it, or RFC 9110's
 *  `bytes <first>-<last>/<size>`; `undefined` where it is neither.
 *  https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-a-blob-in-chunks */
export function parseContentRange(header: string): { first: number; length: number } | undefined {
  const match = /^(?:bytes )?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(header);
  if (!match) return undefined;
  const first = Number(match[1]);
  const length = Number(match[2]) - first + 1;
  return length > 0 ? { first, length } : undefined;
}
