/** What a Range header asks of a body of known size. */
export type RangeRequest =
  | { readonly is: 'whole' }
  | { readonly is: 'unsatisfiable' }
  | { readonly is: 'part'; readonly first: number; readonly last: number };

/** Reads `Range`. What a server may ignore (other units, several ranges, bad syntax) is the whole body; a range
 *  that holds no byte of it, `500-0` included, is unsatisfiable.
 *  https://www.rfc-editor.org/rfc/rfc9110#section-14.2 */
export function parseRange(header: string | null, size: number): RangeRequest {
  const match = /^bytes=[\s,]*(\d*)-(\d*)[\s,]*$/i.exec(header ?? ''); // a list may have empty places
  const [, from = '', to = ''] = match ?? [];
  if (from === '' && to === '') return { is: 'whole' };
  const first = from === '' ? Math.max(size - Number(to), 0) : Number(from);
  const last = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1);
  return first > last ? { is: 'unsatisfiable' } : { is: 'part', first, last };
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
