import {
  type CloudFrontKeyValueStoreClient,
  ConflictException,
  DescribeKeyValueStoreCommand,
  GetKeyCommand,
  PutKeyCommand,
  ResourceNotFoundException,
} from '@aws-sdk/client-cloudfront-keyvaluestore';

interface KeyValueTextOptions {
  readonly client: CloudFrontKeyValueStoreClient;
  /** Of the store. */
  readonly arn: string;
  readonly key: string;
}

/** One value of a KeyValueStore of CloudFront, which all edge locations read seconds after it was written. */
export class KeyValueText {
  readonly #client: CloudFrontKeyValueStoreClient;
  readonly #store: { readonly KvsARN: string };
  readonly #key: string;

  constructor({ client, arn, key }: KeyValueTextOptions) {
    this.#client = client;
    this.#store = { KvsARN: arn };
    this.#key = key;
  }

  /** The version is that of the whole store, and asked for first. */
  async read(): Promise<{ text: string | undefined; version: string | undefined }> {
    const { ETag } = await this.#client.send(new DescribeKeyValueStoreCommand(this.#store));
    return { text: await this.#text(), version: ETag };
  }

  /** `false`, and nothing happens, where the store has another version by now. */
  async replace(text: string, version: string | undefined): Promise<boolean> {
    const input = { ...this.#store, Key: this.#key, Value: text, IfMatch: version };
    try {
      await this.#client.send(new PutKeyCommand(input));
      return true;
    } catch (error) {
      if (error instanceof ConflictException) return false;
      throw error;
    }
  }

  async #text(): Promise<string | undefined> {
    try {
      const { Value } = await this.#client.send(new GetKeyCommand({ ...this.#store, Key: this.#key }));
      return Value;
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return undefined;
      throw error;
    }
  }
}
