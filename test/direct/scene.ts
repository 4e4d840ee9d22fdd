import { createHash, randomUUID } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { type App, createApp } from '../../functions/app.ts';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { putPolicy } from '../../functions/registry/policies.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { S3_PART_SIZES } from '../../functions/storage/s3/parts.ts';
import { S3BlobStore } from '../../functions/storage/s3/s3-blob-store.ts';
import { denyOverwrites } from '../../lib/blob-policy.ts';
import { SqliteTable } from '../../local/sqlite-table.ts';
import { BUCKET, clientOf, openFixture, send } from '../aws/s3/fixture.ts';
import type { S3Server } from '../aws/s3/server.ts';

/** S3's least: the smaller the parts, the less is sent. */
export const PART_BYTES = 5 * 1024 * 1024;
const SIZES = { ...S3_PART_SIZES, announced: PART_BYTES };

export const REPOSITORY = 'team/app' as RepositoryName;

export interface Signed {
  readonly url: string;
  readonly headers: Record<string, string>;
}

export interface Opened {
  readonly status: number;
  readonly location: string;
  readonly whole: Signed | undefined;
  readonly parts: { readonly partBytes: number; readonly there: readonly number[] } | undefined;
}

/** A registry whose clients write to S3 themselves, on a table of its own and the stand-in for S3, whose clocks the test moves. */
export class Scene {
  readonly registry: Registry;
  readonly app: App;
  readonly server: S3Server;
  /** Milliseconds that the clocks are ahead. */
  ahead = 0;

  constructor(server: S3Server, table: SqliteTable) {
    const client = clientOf(server, { requestChecksumCalculation: 'WHEN_REQUIRED' });
    const pause = async () => undefined;
    this.server = server;
    this.registry = {
      table,
      blobs: new S3BlobStore({ client, bucket: BUCKET, newId: randomUUID, pause, sizes: SIZES }),
      direct: true,
      now: () => Date.now() + this.ahead,
      steady: () => performance.now(),
      newId: randomUUID,
      pause,
    };
    this.app = createApp({ registry: this.registry });
  }

  async call(call: string, body?: Uint8Array<ArrayBuffer>): Promise<Response> {
    const [method = '', path = ''] = call.split(' ');
    return this.app(new Request(`http://localhost${path}`, { method, ...(body && { body }) }));
  }

  /** As `stowage push` announces what it has. */
  async open(digest: Digest, size: number, more = ''): Promise<Opened> {
    const query = `mount=${digest}&size=${size}${more}`;
    const answer = await this.call(`POST /v2/${REPOSITORY}/blobs/uploads/?${query}`);
    const text = await answer.text();
    const { direct = {} } = text === '' ? {} : JSON.parse(text);
    const location = answer.headers.get('location') ?? '';
    return { status: answer.status, location, whole: direct.whole, parts: direct.parts };
  }

  /** The PUT of a part with this checksum, or the status of the refusal. */
  async part({ location }: Opened, number: number, bytes: Uint8Array): Promise<Signed | number> {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const answer = await this.call(`POST ${location}&part=${number}&sha256=${sha256}`);
    return answer.status === 200 ? ((await answer.json()) as Signed) : answer.status;
  }

  /** Sends all parts, but those that are there. */
  async sendParts(opened: Opened, bytes: Uint8Array): Promise<void> {
    const { partBytes, there } = opened.parts ?? { partBytes: 1, there: [] };
    for (let number = 1; (number - 1) * partBytes < bytes.length; number += 1) {
      if (there.includes(number)) continue;
      const part = bytes.subarray((number - 1) * partBytes, number * partBytes);
      const outcome = await put(await this.part(opened, number, part), part);
      if (outcome !== '200') throw new Error(`part ${number}: ${outcome}`);
    }
  }

  async setQuota(bytes: number): Promise<void> {
    await putPolicy(this.registry, {
      name: 'quota',
      repositories: [REPOSITORY],
      quota: { each: { bytes } },
    } as never);
  }
}

/** `now` of both clocks is the test's. */
export async function openScene(): Promise<Scene> {
  let scene: Scene | undefined;
  const now = () => new Date(Date.now() + (scene?.ahead ?? 0));
  const { server } = await openFixture({ now, policy: () => [denyOverwrites(`arn:aws:s3:::${BUCKET}`)] });
  const table = new SqliteTable(':memory:');
  onTestFinished(() => table.close());
  scene = new Scene(server, table);
  return scene;
}

/** What S3 answers: its status, and the code of a refusal. */
export async function put(
  signed: Signed | number | undefined,
  body: Uint8Array,
  more: Record<string, string> = {},
): Promise<string> {
  if (typeof signed !== 'object') throw new Error(`nothing was signed: ${signed}`);
  const { status, code } = await send(signed.url, {
    method: 'PUT',
    body,
    headers: { ...signed.headers, ...more },
  });
  return code === undefined ? `${status}` : `${status} ${code}`;
}

export const sha256 = (bytes: Uint8Array) => digestOf('sha256', bytes);
