import * as z from 'zod';
import { repositoryOf, tagOf } from '../handlers/call.ts';
import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';
import { deleteTags } from '../registry/tag-deletions.ts';
import { placeTag } from '../registry/tag-placing.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { permitRepository } from './rights.ts';
import { DigestText, named, TagNames } from './schemas.ts';

const TagPlace = named(
  'TagPlace',
  z.strictObject({
    digest: DigestText.describe('A manifest of the repository.'),
    ifDigest: DigestText.optional().describe(
      'What the tag must be on; 409 where it is not. Default: anything.',
    ),
  }),
);
const TagPlaced = named(
  'TagPlaced',
  z.strictObject({
    name: z.string(),
    digest: z.string(),
    before: z.string().optional().describe('What it was on; absent where there was no such tag.'),
  }),
);
const TagsToDelete = named(
  'TagsToDelete',
  z.strictObject({
    tags: TagNames,
    dryRun: z.boolean().optional().describe('Only say what would be deleted. The default is false.'),
  }),
);
const TagDeletion = named(
  'TagDeletion',
  z.strictObject({
    name: z.string(),
    outcome: z.enum(['deleted', 'refused', 'missing']).describe('In a dry run, what it would be.'),
    digest: z.string().optional(),
    imageBytes: z.int().optional(),
    alsoOn: z
      .array(z.string())
      .optional()
      .describe(
        'Other tags on the same manifest, which stay: the first five. With none, the manifest is untagged.',
      ),
    policy: z.string().optional().describe('The one that refuses it.'),
    reason: z.string().optional().describe('Why it is refused, for people.'),
  }),
);
const TagDeletions = named('TagDeletions', z.strictObject({ tags: z.array(TagDeletion) }));

export const endpoints = {
  'tag.place': endpoint({
    summary: 'Put a tag on a manifest that is there: promote it, or roll it back',
    body: TagPlace,
    answer: TagPlaced,
    problems: { 409: 'The tag is not on `ifDigest`.' },
    allow: (call) => permitRepository(call, 'push'),
    async handle(call, { body }) {
      const [digest, ifDigest] = [body.digest as Digest, body.ifDigest as Digest | undefined];
      const tag = tagOf(call);
      call.about(`${tag} on ${digest}`);
      call.room?.require();
      const before = await placeTag(call.registry, repositoryOf(call), tag, { digest, ifDigest });
      return { name: tag, digest, ...(before !== undefined && { before }) };
    },
  }),
  'tag.deleteMany': endpoint({
    summary: 'Delete up to 100 tags, each by itself; their manifests stay',
    body: TagsToDelete,
    answer: TagDeletions,
    allow: (call) => permitRepository(call, 'delete'),
    async handle(call, { body: { tags, dryRun = false } }) {
      const names = [...new Set(tags)] as Tag[];
      call.about(`delete ${names.length} tags${dryRun ? ', dry run' : ''}: ${names.join(' ')}`);
      const deleted = await deleteTags(call.registry, repositoryOf(call), names, { dryRun });
      return {
        tags: deleted.map(({ alsoOn, ...one }) => ({ ...one, ...(alsoOn && { alsoOn: [...alsoOn] }) })),
      };
    },
  }),
} satisfies Record<string, Endpoint>;
