import type { RepositoryName } from '../oci/reference.ts';
import { type Attributes, absent } from '../storage/table.ts';
import { repositories, repositoryIn, repositoryKey } from './keys.ts';
import { type Page, type PageRequest, pageOf } from './pages.ts';
import { LOST, untilWon } from './races.ts';
import type { Registry } from './registry.ts';

/** The counters that pushes, deletes and the sweep watch each other by; see docs/concurrency.md. */
export interface Repository {
  readonly name: RepositoryName;
  /** Raised by each sweep. */
  readonly epoch: number;
  /** Raised by each commit of a manifest, and each delete of one. */
  readonly version: number;
  /** Raised by each explicit delete of a blob or manifest. */
  readonly deletions: number;
}

/** The repository, or `undefined` where nothing was ever pushed under this name. */
export async function findRepository(
  { table }: Registry,
  name: RepositoryName,
): Promise<Repository | undefined> {
  const attributes = await table.get(repositoryKey(name));
  return attributes && repositoryOf(name, attributes);
}

/** The repository, made now where it does not exist. It joins the catalog with its first manifest. */
export async function openRepository(registry: Registry, name: RepositoryName): Promise<Repository> {
  return untilWon(registry, async () => {
    const found = await findRepository(registry, name);
    if (found) return found;
    const attributes = { createdAt: registry.now(), epoch: 0, version: 0, deletions: 0 };
    const { committed } = await registry.table.write([
      { put: repositoryKey(name), attributes, when: [absent] },
    ]);
    return committed ? repositoryOf(name, attributes) : LOST;
  });
}

/** Names of repositories in byte order. */
export async function listRepositories(registry: Registry, page: PageRequest): Promise<Page> {
  return pageOf(page, async (limit) => {
    const after = page.last === undefined ? {} : { after: page.last };
    const items = await registry.table.query({ ...repositories, ...after, limit, keysOnly: true });
    return items.map(repositoryIn);
  });
}

function repositoryOf(name: RepositoryName, attributes: Attributes): Repository {
  return {
    name,
    epoch: attributes['epoch'] as number,
    version: attributes['version'] as number,
    deletions: attributes['deletions'] as number,
  };
}
