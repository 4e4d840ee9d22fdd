import { promisify } from 'node:util';
import { gzip as gzipWith } from 'node:zlib';

const gzip = promisify(gzipWith);

/** Ours: what is smaller fits a few packets as it is. */
const WORTH_BYTES = 8 * 1024;

/** The answer of the API, by gzip where the client takes that and it is worth the work. */
export async function compressed({ headers: asked }: Request, response: Response): Promise<Response> {
  const { status, statusText } = response;
  const headers = new Headers(response.headers);
  const isJson = /^application\/(?:problem\+)?json\b/.test(headers.get('content-type') ?? '');
  if (!response.body || !isJson) return response;
  headers.append('Vary', 'Accept-Encoding');
  const bytes = await response.bytes();
  const isWorth = bytes.length > WORTH_BYTES && takesGzip(asked.get('accept-encoding'));
  if (!isWorth) return new Response(bytes, { status, statusText, headers });
  headers.set('Content-Encoding', 'gzip');
  headers.delete('Content-Length');
  return new Response(await gzip(bytes), { status, statusText, headers });
}

/** https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3 */
function takesGzip(header: string | null): boolean {
  return (header ?? '').split(',').some((part) => {
    const [coding = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    const isRefused = parameters.some((text) => /^q=0(?:\.0*)?$/.test(text));
    return (coding === 'gzip' || coding === '*') && !isRefused;
  });
}
