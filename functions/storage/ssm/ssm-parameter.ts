import {
  GetParameterCommand,
  ParameterAlreadyExists,
  ParameterNotFound,
  PutParameterCommand,
  type SSMClient,
} from '@aws-sdk/client-ssm';

interface SsmParameterOptions {
  readonly client: SSMClient;
  readonly name: string;
}

/** A secret text in a standard parameter of SSM, encrypted with the key that AWS manages for SSM: both are free. */
export class SsmParameter {
  readonly #client: SSMClient;
  readonly #name: string;

  constructor({ client, name }: SsmParameterOptions) {
    this.#client = client;
    this.#name = name;
  }

  /** `undefined` where there is no such parameter. */
  async read(): Promise<string | undefined> {
    const command = new GetParameterCommand({ Name: this.#name, WithDecryption: true });
    try {
      const { Parameter } = await this.#client.send(command);
      return Parameter?.Value;
    } catch (error) {
      if (error instanceof ParameterNotFound) return undefined;
      throw error;
    }
  }

  /** `false` where there is such a parameter already, which stays as it is. */
  async create(text: string, signal?: AbortSignal): Promise<boolean> {
    try {
      await this.#put(text, false, signal);
      return true;
    } catch (error) {
      if (error instanceof ParameterAlreadyExists) return false;
      throw error;
    }
  }

  /** The last of several writers wins: SSM has no condition on what was read. */
  async replace(text: string, signal?: AbortSignal): Promise<void> {
    await this.#put(text, true, signal);
  }

  async #put(text: string, overwrite: boolean, signal?: AbortSignal): Promise<void> {
    const command = new PutParameterCommand({
      Name: this.#name,
      Value: text,
      Type: 'SecureString',
      Tier: 'Standard',
      Overwrite: overwrite,
    });
    await this.#client.send(command, signal ? { abortSignal: signal } : {});
  }
}
