import { createHmac } from 'node:crypto';
import { UPLOAD_TOKEN_SECONDS } from '../limits.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { UploadSession } from '../registry/upload-sessions.ts';
import { activeKey, type KeySource } from './signing-keys.ts';

/** What an upload token allows: to send the bytes of this upload to the store itself, past the registry. */
interface UploadGrant {
  readonly repository: RepositoryName;
  readonly session: string;
  readonly objectKey: UploadSession['upload']['objectKey'];
  /** The subject of the access token that has to come with it. */
  readonly principal: string;
  /** How many bytes, and until when, where quotas count them. @default what the store takes, for `UPLOAD_TOKEN_SECONDS` */
  readonly direct?: UploadSession['direct'];
}

const PREFIX = 'blobs/';

/** Signs the tokens by which the front door lets the bytes of an upload past the registry. It is the front door alone
 *  that verifies them (edge/viewer-request.js), by the keys that access tokens are verified with. */
export class UploadTokens {
  readonly #keys: KeySource;
  readonly #now: () => number;

  constructor({ keys, now }: { readonly keys: KeySource; readonly now: () => number }) {
    this.#keys = keys;
    this.#now = now;
  }

  /** `<key id>.<expires>.<object>.<mac>`, or `<expires>-<most bytes>`; needs no escape in a query. */
  async issue({ repository, session, objectKey, principal, direct }: UploadGrant): Promise<string> {
    const now = this.#now();
    const { id, secret } = activeKey(await this.#keys.keys(), now);
    const latest = Math.min(
      now / 1000 + UPLOAD_TOKEN_SECONDS,
      (direct?.until ?? Number.POSITIVE_INFINITY) / 1000,
    );
    const expires = `${Math.floor(latest)}${direct ? `-${direct.most}` : ''}`;
    // `upload` first, so that no MAC over an access token, made with the same key, is ever one of these. None of the
    // others can contain a line break.
    const signed = ['upload', repository, session, objectKey, expires, principal].join('\n');
    const mac = createHmac('sha256', secret).update(signed).digest('base64url');
    return [id, expires, objectKey.slice(PREFIX.length), mac].join('.');
  }
}
