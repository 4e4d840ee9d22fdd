import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { AwsPath } from '../aws-path.ts';
import { type Answer, send } from './fixture.ts';
import type { LiveStack } from './live-stack.ts';
import { OWN_NAME } from './live-stack.ts';
import { digestOf } from './registry-client.ts';

const NAME = 'front/load';
const LARGE = randomBytes(4 * 1024 * 1024 + 1);
const DOCKER = { 'transfer-encoding': 'chunked', 'user-agent': 'docker/28.0.0 go/go1.24' };

/** Clients that log in, pull and push without a pause, each request at whichever location it gets. */
export class Load {
  /** Of every answer that was not as it has to be, what was asked and what came. */
  readonly failures: string[] = [];
  /** Whether there has to be a stream host: while one comes or goes, a client is refused or served, never failed. */
  streams: boolean | undefined = false;
  /** The name that clients use, besides CloudFront's own. */
  name: string | undefined;
  readonly #path: AwsPath;
  readonly #stack: LiveStack;
  #round: Promise<void> = Promise.resolve();
  #running: Promise<void> = Promise.resolve();
  #isOver = false;

  constructor(path: AwsPath, stack: LiveStack) {
    this.#path = path;
    this.#stack = stack;
  }

  async start(): Promise<void> {
    await this.#push(LARGE); // what is pulled
    this.#running = this.#run();
  }

  /** Resolves when every client has done all that it does once more, begun after the call. */
  async round(): Promise<void> {
    await this.#round; // under way
    await this.#round;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  /** All at once, again and again. */
  async #run(): Promise<void> {
    const clients = {
      'log in': () => this.#token(),
      pull: () => this.#pull(),
      push: () => this.#push(randomBytes(1024)),
      'push past the API': () => this.#push(Buffer.concat([LARGE, randomBytes(16)])),
      stream: () => this.#streamed(randomBytes(2048)),
    };
    const once = async ([name, act]: readonly [string, () => Promise<unknown>]) => {
      await act().catch((error: unknown) => this.failures.push(`${name}: ${error}`));
    };
    while (!this.#isOver) {
      this.#round = Promise.all(Object.entries(clients).map(once)).then(() => setImmediate());
      await this.#round;
    }
  }

  async #ask(
    host: string,
    call: string,
    wanted: readonly number[],
    given: Parameters<typeof send>[2] = {},
  ): Promise<Answer> {
    const answer = await send(this.#stack.url, call, { ...given, headers: { host, ...given.headers } });
    if (!wanted.includes(answer.status))
      throw new Error(`${host} ${call}: ${answer.status} ${answer.body.toString().slice(0, 200)}`);
    return answer;
  }

  /** Goes where the challenge says, under the name that the client knows. */
  async #token(): Promise<{ host: string; authorization: string }> {
    const host = this.name && Math.random() < 0.5 ? this.name : OWN_NAME;
    const { headers } = await this.#ask(host, 'GET /v2/', [401]);
    const [, realm = ''] = /realm="https:\/\/([^/]+)\/token"/.exec(`${headers['www-authenticate']}`) ?? [];
    if (!this.#stack.names.has(realm)) throw new Error(`sent to ${realm}, which is nowhere`);
    const { username, password } = this.#path.admin;
    const basic = Buffer.from(`${username}:${password}`).toString('base64');
    const call = `GET /token?service=stowage&scope=repository:${NAME}:pull,push`;
    const { body } = await this.#ask(realm, call, [200], { headers: { authorization: `Basic ${basic}` } });
    const { token } = JSON.parse(body.toString()) as { token: string };
    const login = { host, authorization: `Bearer ${token}` };
    await this.#ask(host, 'GET /v2/', [200], { headers: { authorization: login.authorization } });
    return login;
  }

  async #pull(): Promise<void> {
    const { host, authorization } = await this.#token();
    const headers = { authorization };
    const call = `/v2/${NAME}/blobs/${digestOf(LARGE)}`;
    await this.#ask(host, `HEAD ${call}`, [200], { headers });
    const { headers: answered } = await this.#ask(host, `GET ${call}`, [307], { headers });
    const location = answered.location ?? '';
    const got = location.startsWith('/')
      ? await this.#ask(host, `GET ${location}`, [200])
      : await send(new URL(location).origin, `GET ${location.slice(new URL(location).origin.length)}`);
    if (!got.body.equals(LARGE))
      throw new Error(`pulled from ${location.split('?')[0]}: ${got.status}, ${got.body.length} bytes`);
  }

  async #open({ host, authorization }: { host: string; authorization: string }): Promise<string> {
    const { headers } = await this.#ask(host, `POST /v2/${NAME}/blobs/uploads/`, [202], {
      headers: { authorization },
    });
    return headers.location ?? '';
  }

  /** In one PUT, straight to S3 where it is large. */
  async #push(bytes: Buffer): Promise<void> {
    const login = await this.#token();
    await this.#close(login, await this.#open(login), bytes, bytes);
  }

  async #streamed(bytes: Buffer): Promise<void> {
    const login = await this.#token();
    const wanted = this.streams === undefined ? [202, 413] : [this.streams ? 202 : 413];
    const before = this.streams;
    const location = await this.#open(login);
    const given = { headers: { authorization: login.authorization, ...DOCKER }, body: bytes };
    const { status, headers } = await this.#ask(login.host, `PATCH ${location}`, [202, 413], given);
    if (before === this.streams && !wanted.includes(status)) throw new Error(`PATCH: ${status}`);
    if (status === 202) await this.#close(login, headers.location ?? '', bytes, Buffer.alloc(0));
  }

  async #close(
    login: { host: string; authorization: string },
    location: string,
    bytes: Buffer,
    body: Buffer,
  ): Promise<void> {
    const call = `PUT ${location}&digest=${digestOf(bytes)}`;
    await this.#ask(login.host, call, [201], { headers: { authorization: login.authorization }, body });
  }
}
