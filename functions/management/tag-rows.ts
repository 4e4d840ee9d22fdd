import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { Call } from '../handlers/call.ts';
import { repositoryOf } from '../handlers/call.ts';
import { isKnown } from '../http/conditional.ts';
import { MAX_LIST_ENTRIES } from '../limits.ts';
import type { Tag } from '../oci/reference.ts';
import { type TagRow as Row, tagRows } from '../registry/tag-rows.ts';
import { listTags } from '../registry/tags.ts';
import { answered, type Endpoint, endpoint } from './endpoint.ts';
import { forCaller, iso } from './output.ts';
import { visibleRepository } from './rights.ts';
import { Kind, Next, named, Principal, TagNames, Time } from './schemas.ts';

const Names = named(
  'TagNames',
  z.strictObject({ names: z.array(z.string()).describe('In byte order.'), next: Next }),
);

const TagQuery = named('TagQuery', z.strictObject({ names: TagNames }));
const TagRow = named(
  'TagRow',
  z.strictObject({
    name: z.string(),
    digest: z.string(),
    kind: Kind,
    mediaType: z.string(),
    artifactType: z.string().optional(),
    imageBytes: z
      .int()
      .optional()
      .describe('Of its config and layers; of an index, of all its images, each blob once.'),
    platforms: z.array(z.string()).optional().describe('What an index has images for: `linux/arm64/v8`.'),
    taggedAt: Time,
    by: Principal.optional(),
    pulledAt: Time.optional().describe('To the day, by the tag or by the digest it is on.'),
    immutableBy: z.string().optional().describe('The policy that keeps it where it is.'),
    pinnedBy: z.string().optional().describe('The policy that keeps it from retention.'),
  }),
);
const TagRows = named(
  'TagRows',
  z.strictObject({
    tags: z.array(TagRow),
    missing: z.array(z.string()).describe('Names that are no tags any more.'),
  }),
);

export const endpoints = {
  'tag.names': endpoint({
    summary: 'The names of the tags of a repository, 10,000 a page',
    query: z.strictObject({
      n: z.coerce
        .number()
        .int()
        .min(1)
        .max(MAX_LIST_ENTRIES)
        .optional()
        .describe(`The default is ${MAX_LIST_ENTRIES}.`),
      last: z.string().max(128).optional().describe('The `next` of the page before.'),
    }),
    answer: Names,
    also: { 304: undefined },
    allow: visibleRepository,
    async handle(call, { query }) {
      const { n = MAX_LIST_ENTRIES, last } = query;
      const page = { limit: n, ...(last !== undefined && { last }) };
      const { entries: names, ...rest } = await listTags(call.registry, repositoryOf(call), page);
      return unlessKnown(call, { names, ...rest });
    },
  }),
  'tag.query': endpoint({
    summary: 'What is known of up to 100 tags',
    body: TagQuery,
    answer: TagRows,
    allow: visibleRepository,
    async handle(call, { body }) {
      const names = [...new Set(body.names)] as Tag[];
      const { rows, missing } = await tagRows(call.registry, repositoryOf(call), names);
      return { tags: rows.map((row) => forCaller(call, rowOut(row))), missing: [...missing] };
    },
  }),
} satisfies Record<string, Endpoint>;

/** Names are told once: whoever has them already hears so. */
function unlessKnown({ request }: Call, body: unknown): Response {
  const entityTag = `"${createHash('sha256').update(JSON.stringify(body)).digest('base64url').slice(0, 22)}"`;
  const headers = { ETag: `W/${entityTag}`, 'Cache-Control': 'private, no-cache' };
  return isKnown(request, entityTag)
    ? new Response(null, { status: 304, headers })
    : answered(body, 200, headers);
}

const rowOut = ({ size: _, restoredAt: __, taggedAt, lastPulledAt, platforms, ...row }: Row) => ({
  ...row,
  taggedAt: iso(taggedAt),
  ...(platforms && { platforms: [...platforms] }),
  ...(lastPulledAt !== undefined && { pulledAt: iso(lastPulledAt) }),
});
