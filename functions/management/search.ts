import * as z from 'zod';
import type { RepositoryEntry } from '../registry/repositories.ts';
import { search } from '../registry/search.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { authorityOf } from './rights.ts';
import { named } from './schemas.ts';

const SearchResult = named(
  'SearchResult',
  z.strictObject({
    repositories: z.array(z.string()),
    tags: z.array(z.strictObject({ repository: z.string(), tag: z.string(), digest: z.string() })),
    manifests: z.array(z.strictObject({ repository: z.string(), digest: z.string() })),
    more: z
      .boolean()
      .describe('Whether there may be more: 50 are told, of 10,000 repositories, 2,000 for a tag or digest.'),
  }),
);

export const endpoints = {
  'search.find': endpoint({
    summary: 'Repositories by a part of the name, tags by `name:tag`, manifests by digest',
    query: z.strictObject({
      q: z
        .string()
        .min(1)
        .max(512)
        .describe('`app`, `app:v1`, `sha256:…`, `app@sha256:…`; `app` is any part of the name.'),
    }),
    answer: SearchResult,
    async handle(call, { query: { q } }) {
      const authority = await authorityOf(call);
      const isVisible = ({ name, isPublic }: RepositoryEntry) => isPublic || authority.may('pull', name);
      const { repositories, tags, manifests, more } = await search(call.registry, q.trim(), isVisible);
      return { repositories: [...repositories], tags: [...tags], manifests: [...manifests], more };
    },
  }),
} satisfies Record<string, Endpoint>;
