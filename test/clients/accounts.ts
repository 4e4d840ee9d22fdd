import { type Credentials, type Registry, unexpected } from './registry.ts';

interface Grant {
  /** A repository, or several with a `*`. */
  readonly pattern: string;
  readonly actions: readonly string[];
}

const REQUEST_TIMEOUT_SECONDS = 30;

/** Makes users, tokens, robots and public repositories through the management API, as an admin would. */
export class Accounts {
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  async createUser(name: string, grants: readonly Grant[]): Promise<Credentials> {
    const made = await this.#send('POST', 'users', 201, { name, grants });
    return { username: name, password: textIn(made, 'password') };
  }

  /** A personal access token, which takes the place of the user's password. */
  async createToken(username: string): Promise<Credentials> {
    const made = await this.#send('POST', `users/${username}/tokens`, 201, { description: 'for a test' });
    return { username, password: textIn(made, 'secret') };
  }

  async createRobot(name: string, grants: readonly Grant[]): Promise<Credentials> {
    const made = await this.#send('POST', 'robots', 201, { name, grants });
    return { username: textIn(made, 'login'), password: textIn(made, 'secret') };
  }

  /** Makes the repository, if it is not there yet, and lets anybody pull from it. */
  async makePublic(repository: string): Promise<void> {
    await this.#send('PUT', `repositories/${repository}`, 200, { visibility: 'public' });
  }

  async #send(method: string, path: string, status: number, body: object): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.#registry.url}/api/v1/${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${await this.#registry.token('registry:api:*')}`,
        'Content-Type': 'application/json',
      },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_SECONDS * 1000),
    });
    if (response.status !== status) throw await unexpected(`${method} /api/v1/${path}`, response);
    return (await response.json()) as Record<string, unknown>;
  }
}

function textIn(answer: Record<string, unknown>, name: string): string {
  const text = answer[name];
  if (typeof text !== 'string') throw new Error(`the answer has no ${name}: ${JSON.stringify(answer)}`);
  return text;
}
