import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Machine, MachineState, Started } from './stream/machine.ts';

interface Ec2InstanceOptions {
  readonly id: string;
  /** Whose region, credentials and hash are EC2's as well: a client of its own would be larger than all that is asked of it. */
  readonly like: DynamoDBClient;
  /** @default AWS's own of the region */
  readonly endpoint?: string | undefined;
  /** Called before each request. */
  readonly onCall: () => void;
}

/** EC2 answers in half a second. */
const TIMEOUT_MS = 4000;

const VERSION = '2016-11-15';

/** Codes that say "not now". What else EC2 refuses, such as `InsufficientInstanceCapacity` and `UnauthorizedOperation`, it refuses again.
 *  https://docs.aws.amazon.com/ec2/latest/devguide/errors-overview.html */
const PASSING =
  /^(?:IncorrectInstanceState|IncorrectState|RequestLimitExceeded|Throttling\w*|InternalError|InternalFailure|ServiceUnavailable|Unavailable|Server\.\w+)$/;

const STATES = new Set<string>(['pending', 'running', 'stopping', 'stopped']);

/** What EC2 answers instead. */
class Ec2Error extends Error {
  override readonly name = 'Ec2Error';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** An instance of EC2, by the four calls that the stream host needs. */
export class Ec2Instance implements Machine {
  readonly #options: Ec2InstanceOptions;

  constructor(options: Ec2InstanceOptions) {
    this.#options = options;
  }

  async start(): Promise<Started> {
    try {
      await this.#call('StartInstances');
      return { is: 'asked' };
    } catch (error) {
      if (error instanceof Ec2Error && !PASSING.test(error.code)) return { is: 'refused', why: error.code };
      return { is: 'later', why: `${error}` };
    }
  }

  async state(): Promise<MachineState> {
    try {
      const [, name = ''] =
        /<instanceState>.*?<name>([\w-]+)<\/name>/s.exec(await this.#call('DescribeInstances')) ?? [];
      if (STATES.has(name)) return name as MachineState;
      return ['shutting-down', 'terminated'].includes(name) ? 'gone' : 'unknown';
    } catch (error) {
      return error instanceof Ec2Error && error.code.startsWith('InvalidInstanceID') ? 'gone' : 'unknown';
    }
  }

  async stop(): Promise<void> {
    await this.#call('StopInstances');
  }

  async reboot(): Promise<void> {
    await this.#call('RebootInstances');
  }

  async #call(action: string): Promise<string> {
    const { id, like, onCall } = this.#options;
    const { region, credentials, sha256 } = like.config;
    const host = `ec2.${await region()}.amazonaws.com`;
    const url = new URL(this.#options.endpoint ?? `https://${host}`);
    const body = `${new URLSearchParams({ Action: action, Version: VERSION, 'InstanceId.1': id })}`;
    const signer = new SignatureV4({ service: 'ec2', region, credentials, sha256 });
    const { headers } = await signer.sign({
      method: 'POST',
      protocol: url.protocol,
      hostname: url.hostname,
      path: '/',
      headers: { host: url.host, 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
      body,
    });
    onCall();
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const answer = await fetch(url, { method: 'POST', headers, body, signal });
    const text = await answer.text();
    if (answer.ok) return text;
    const unnamed = answer.status >= 500 ? 'ServiceUnavailable' : `${answer.status}`;
    const [, code = unnamed] = /<Code>([\w.]+)<\/Code>/.exec(text) ?? [];
    throw new Ec2Error(code, `${action}: ${code}`);
  }
}
