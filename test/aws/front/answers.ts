import { randomBytes } from 'node:crypto';
import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { EdgeResponse, EdgeValues } from './edge-event.ts';
import { pairsOf } from './event.ts';
import type { UrlRefusal } from './signed-urls.ts';

/** What `X-Cache` says of an answer. Nothing is cached here, so nothing is a hit. */
export type CacheVerdict = 'Miss' | 'Error' | 'FunctionGeneratedResponse';

/** What only one hop is to know, or what each hop says anew. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** How the front door calls itself in `Via`. */
export const PLACE = '1.1 0123456789abcdef0123456789abcdef.cloudfront.net (CloudFront)';

/** One for each request, and at origins too. */
export const newRequestId = () => `${randomBytes(41).toString('base64url')}==`;

/** An answer as it leaves CloudFront, its body aside. `clock` is the time that CloudFront thinks it is. */
export function writeHead(
  outgoing: ServerResponse,
  { statusCode, headers }: Pick<EdgeResponse, 'statusCode' | 'headers'>,
  { requestId, verdict, clock }: { requestId: string; verdict: CacheVerdict; clock?: Date | undefined },
): void {
  const via = headers['via'] ? `${headers['via'].value}, ${PLACE}` : PLACE;
  const own: EdgeValues = {
    ...(clock && { date: { value: clock.toUTCString() } }),
    via: { value: via },
    'x-cache': { value: `${verdict} from cloudfront` },
    'x-amz-cf-pop': { value: 'FRA00-P0' },
    'x-amz-cf-id': { value: requestId },
  };
  const pairs = pairsOf({ ...headers, ...own }).filter(([name]) => !HOP_BY_HOP.has(name));
  // In an array Node takes several values of a name; what it adds by itself then is `Date` and the framing.
  outgoing.writeHead(statusCode, STATUS_CODES[statusCode] ?? '', pairs.flat());
}

/** CloudFront's own page, which no client of a registry can read. */
export function page(status: number, why: string): { response: EdgeResponse; body: string } {
  const title = `${status} ${STATUS_CODES[status] ?? 'Error'}`;
  const body = `<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN" "http://www.w3.org/TR/html4/loose.dtd">
<HTML><HEAD><META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=iso-8859-1">
<TITLE>ERROR: The request could not be satisfied</TITLE>
</HEAD><BODY>
<H1>${title}</H1>
<H2>The request could not be satisfied.</H2>
<HR noshade size="1px">
${why.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}
</BODY></HTML>
`;
  return own(status, 'text/html', body);
}

/** How CloudFront refuses a signed URL. */
export function urlRefused({ code, message }: UrlRefusal): { response: EdgeResponse; body: string } {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  return own(403, 'text/xml', body);
}

function own(statusCode: number, contentType: string, body: string) {
  const headers = {
    server: { value: 'CloudFront' },
    'content-type': { value: contentType },
    'content-length': { value: `${Buffer.byteLength(body)}` },
  };
  return { response: { statusCode, headers }, body };
}
