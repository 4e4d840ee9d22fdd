import * as z from 'zod';
import type { Call } from '../handlers/call.ts';
import { repositoryOf } from '../handlers/call.ts';
import { nameUnknown } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import {
  findRepository,
  listEntries,
  type RepositoryEntry,
  setVisibility,
} from '../registry/repositories.ts';
import { deleteRepository } from '../registry/repository-deletion.ts';
import { answered, type Endpoint, endpoint } from './endpoint.ts';
import { pageRequest } from './input.ts';
import { iso } from './output.ts';
import { authorityOf, mayDo, permitRepository, visibleRepository } from './rights.ts';
import { BEGINNING, Next, named, pageOf, Time } from './schemas.ts';

const Visibility = z
  .enum(['private', 'public'])
  .describe('Anybody may pull from a public repository, without a login.');

/** The beginning of a name. */
const NameText = z.string().regex(/^[a-z0-9._/-]{0,255}$/, 'must be the beginning of a repository name');

const May = z
  .array(z.enum(['pull', 'push', 'delete', 'admin']))
  .describe('What the caller may do to it at this moment.');

const listed = { name: z.string(), visibility: Visibility, may: May };
const Repository = named('Repository', z.strictObject({ ...listed, createdAt: Time }));
const RepositoryList = named(
  'RepositoryList',
  z.strictObject({
    repositories: z.array(z.strictObject(listed)),
    next: Next,
  }),
);
const Settings = named('RepositorySettings', z.strictObject({ visibility: Visibility }));
const Remaining = named(
  'Remaining',
  z.strictObject({ remaining: z.literal(true) }).describe('Not all is deleted yet: send the request again.'),
);

const visibilityOf = (isPublic: boolean) => (isPublic ? 'public' : 'private');

const set = {
  body: Settings,
  answer: Repository,
  allow: (call: Call) => permitRepository(call, 'admin'),
  async handle(call: Call, { body }: { readonly body: z.infer<typeof Settings> }) {
    const name = repositoryOf(call);
    call.about(`visibility ${body.visibility}`);
    await setVisibility(call.registry, name, body.visibility === 'public');
    return repositoryOut(call, name);
  },
} as const;

export const endpoints = {
  'repository.list': endpoint({
    summary: 'The repositories that the caller may pull from, in the order of their names',
    query: z.strictObject({
      ...pageOf(z.string().max(255)),
      prefix: NameText.optional().describe(BEGINNING),
    }),
    answer: RepositoryList,
    async handle(call, { query }) {
      const authority = await authorityOf(call);
      const isVisible = ({ name, isPublic }: RepositoryEntry) => isPublic || authority.may('pull', name);
      const page = { ...pageRequest(query), prefix: query.prefix ?? '' };
      const { entries, ...rest } = await listEntries(call.registry, page, isVisible);
      const repositories = entries.map((entry) => ({
        name: entry.name,
        visibility: visibilityOf(entry.isPublic),
        may: mayDo(authority, entry),
      }));
      return { repositories, ...rest } as z.infer<typeof RepositoryList>;
    },
  }),
  'repository.get': endpoint({
    summary: 'A repository',
    answer: Repository,
    allow: visibleRepository,
    async handle(call) {
      return repositoryOut(call, repositoryOf(call));
    },
  }),
  'repository.set': endpoint({
    summary: 'Make a repository public or private, and make it where it does not exist',
    ...set,
  }),
  'repository.change': endpoint({ summary: 'The same as PUT', ...set }),
  'repository.delete': endpoint({
    summary: 'Delete a repository and all it holds; one request may not be enough for a large one',
    also: { 202: Remaining },
    allow: (call) => permitRepository(call, 'admin'),
    async handle(call) {
      const outcome = await deleteRepository(call.registry, repositoryOf(call));
      if (outcome === 'done') return undefined;
      return answered({ remaining: true }, 202, { 'Retry-After': '0' });
    },
  }),
} satisfies Record<string, Endpoint>;

async function repositoryOut(call: Call, name: RepositoryName): Promise<z.infer<typeof Repository>> {
  const repository = await findRepository(call.registry, name);
  if (!repository?.listed) throw nameUnknown(name);
  const { isPublic, createdAt } = repository;
  const may = mayDo(await authorityOf(call), repository);
  return { name, visibility: visibilityOf(isPublic), may, createdAt: iso(createdAt) };
}
