import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { ObjectClient } from './object-client.ts';

interface ObjectTextOptions {
  readonly client: S3Client;
  readonly bucket: string;
  readonly key: string;
  /** Waits before write number `attempt` (from 1) is repeated that S3 could not decide. */
  readonly pause: (attempt: number) => Promise<void>;
}

/** A small text in an object of its own, encrypted as the bucket says. */
export class ObjectText {
  readonly #client: S3Client;
  readonly #objects: ObjectClient;
  readonly #at: { readonly Bucket: string; readonly Key: string };

  constructor({ client, bucket, key, pause }: ObjectTextOptions) {
    this.#client = client;
    this.#objects = new ObjectClient({ s3: client, bucket, pause });
    this.#at = { Bucket: bucket, Key: key };
  }

  /** `undefined` twice where there is no such object. S3 tells that only to who may list the bucket: to others it says
   *  that they may not read, so that is taken for absence too, and a write finds out. */
  async read(): Promise<{ text: string | undefined; version: string | undefined }> {
    try {
      const { Body, ETag } = await this.#client.send(new GetObjectCommand(this.#at));
      return { text: await Body?.transformToString(), version: ETag };
    } catch (error) {
      const isAbsent = error instanceof Error && ['NoSuchKey', 'AccessDenied'].includes(error.name);
      if (isAbsent) return { text: undefined, version: undefined };
      throw error;
    }
  }

  /** `false`, and nothing happens, where the object is another one by now. */
  async replace(text: string, version: string | undefined): Promise<boolean> {
    return this.#objects.put(this.#at.Key, Buffer.from(text), version);
  }
}
