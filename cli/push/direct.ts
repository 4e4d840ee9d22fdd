/** A PUT that the store of a registry takes from us as it is. */
export interface SignedRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** How an upload is cut into parts, and which of them, counted from 1, are there already. */
export interface Cut {
  readonly partBytes: number;
  readonly there: readonly number[];
}

/** How the store of a registry takes a blob from us: whole, or in parts. */
export type Direct =
  | { readonly is: 'whole'; readonly request: SignedRequest }
  | { readonly is: 'parts'; readonly cut: Cut };

/** What a registry offers with the answer to an upload that was announced; `undefined` where it does not, or not as we know it. */
export function directIn(body: unknown): Direct | undefined {
  const { direct } = recordOf(body);
  const { whole, parts } = recordOf(direct);
  const [request, cut] = [signedIn(whole), cutIn(parts)];
  if (cut) return { is: 'parts', cut };
  return request && { is: 'whole', request };
}

/** What a store needs to be told, and no more: a registry does not make us say anything else to anybody. */
const HEADER = /^(?:content-length|content-type|if-none-match|x-amz-[a-z0-9-]+)$/;

export function signedIn(body: unknown): SignedRequest | undefined {
  const { url, headers } = recordOf(body);
  if (typeof url !== 'string' || !URL.canParse(url)) return undefined;
  const entries = Object.entries(recordOf(headers));
  const isKnown = entries.every(([name, value]) => HEADER.test(name) && typeof value === 'string');
  return isKnown ? { url, headers: Object.fromEntries(entries) as Record<string, string> } : undefined;
}

function cutIn(parts: unknown): Cut | undefined {
  const { partBytes, there } = recordOf(parts);
  const isCut = Number.isSafeInteger(partBytes) && Number(partBytes) > 0 && Array.isArray(there);
  return isCut ? { partBytes: Number(partBytes), there: there.map(Number) } : undefined;
}

const recordOf = (value: unknown) =>
  (typeof value === 'object' && value !== null ? value : {}) as Readonly<Record<string, unknown>>;
