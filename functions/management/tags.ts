import * as z from 'zod';
import { repositoryOf, tagOf } from '../handlers/call.ts';
import { manifestUnknown } from '../oci/errors.ts';
import { findTagDetails, type ListedTag, listTagDetails, MAX_TAG_DETAILS } from '../registry/tag-details.ts';
import { tagHistory } from '../registry/tag-history.ts';
import { deleteTag } from '../registry/tags.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { pageRequest } from './input.ts';
import { forCaller, iso } from './output.ts';
import { permitRepository, visibleRepository } from './rights.ts';
import { BEGINNING, Next, named, Principal, pageOf, Time } from './schemas.ts';

const By = Principal.optional().describe(
  'Absent where the registry had no users then, and where the caller has not logged in.',
);

const fields = {
  name: z.string(),
  digest: z.string(),
  mediaType: z.string(),
  size: z.int().describe('Bytes of the manifest.'),
  taggedAt: Time.describe('Of one that was restored, when it was put there first.'),
  restoredAt: Time.optional(),
  by: By,
  imageBytes: z
    .int()
    .optional()
    .describe(
      'Of its config and layers. Of an index only where one tag is asked for: of all its images, each blob once. Absent where ' +
        'that takes more reading than one request does.',
    ),
  platforms: z
    .array(z.string())
    .optional()
    .describe('`linux/arm64`: what an index has images for. Of an image only where one tag is asked for.'),
  lastPulledAt: Time.optional().describe(
    'To the day, by the tag or by the digest it is on. Absent where nobody has pulled it for long.',
  ),
};

const Referrer = named(
  'Referrer',
  z.strictObject({ digest: z.string(), artifactType: z.string().optional(), size: z.int() }),
);
/** The beginning of a tag. */
const TagText = z.string().regex(/^[a-zA-Z0-9._-]{0,128}$/, 'must be the beginning of a tag');
const Tag = named('Tag', z.strictObject(fields));
const TagList = named('TagList', z.strictObject({ tags: z.array(Tag), next: Next }));
const TagMove = named(
  'TagMove',
  z.strictObject({
    digest: z.string().optional().describe('Absent where the tag was deleted.'),
    at: Time,
    by: By,
  }),
);
const history = z.array(TagMove).describe('The last 100 moves, the newest first.');
const TagWithHistory = named(
  'TagWithHistory',
  z.strictObject({
    ...fields,
    referrers: z.array(Referrer).describe('Such as signatures and SBOMs: the first 100 of them.'),
    moreReferrers: z.boolean().describe('Whether there are more.'),
    history,
  }),
);
const TagHistory = named('TagHistory', z.strictObject({ history }));

const tagOut = <T extends ListedTag>({ taggedAt, restoredAt, lastPulledAt, platforms, ...tag }: T) => ({
  ...tag,
  taggedAt: iso(taggedAt),
  ...(restoredAt !== undefined && { restoredAt: iso(restoredAt) }),
  ...(platforms && { platforms: [...platforms] }),
  ...(lastPulledAt !== undefined && { lastPulledAt: iso(lastPulledAt) }),
});

export const endpoints = {
  'tag.details': endpoint({
    summary: `The tags of a repository, with what each is on; at most ${MAX_TAG_DETAILS} a page`,
    query: z.strictObject({
      ...pageOf(z.string(), MAX_TAG_DETAILS),
      prefix: TagText.optional().describe(BEGINNING),
    }),
    answer: TagList,
    allow: visibleRepository,
    async handle(call, { query }) {
      const page = { ...pageRequest(query), prefix: query.prefix ?? '' };
      const { tags, ...rest } = await listTagDetails(call.registry, repositoryOf(call), page);
      return { tags: tags.map((tag) => forCaller(call, tagOut(tag))), ...rest };
    },
  }),
  'tag.get': endpoint({
    summary: 'A tag: what it is on, how large that is, what refers to it, and where the tag was',
    answer: TagWithHistory,
    allow: visibleRepository,
    async handle(call) {
      const name = repositoryOf(call);
      const tag = tagOf(call);
      const [found, history] = await Promise.all([
        findTagDetails(call.registry, name, tag),
        tagHistory(call.registry, name, tag),
      ]);
      if (!found) throw manifestUnknown(name, tag);
      return {
        ...forCaller(call, { ...tagOut(found), referrers: [...found.referrers] }),
        history: history.map((move) => forCaller(call, move)),
      };
    },
  }),
  'tag.history': endpoint({
    summary: 'Where a tag was and is, also of one that is deleted',
    answer: TagHistory,
    allow: visibleRepository,
    async handle(call) {
      const [name, tag] = [repositoryOf(call), tagOf(call)];
      const history = await tagHistory(call.registry, name, tag);
      if (history.length === 0) throw manifestUnknown(name, tag);
      return { history: history.map((move) => forCaller(call, move)) };
    },
  }),
  'tag.delete': endpoint({
    summary: 'Delete a tag; its manifest stays',
    allow: (call) => permitRepository(call, 'delete'),
    async handle(call) {
      await deleteTag(call.registry, repositoryOf(call), tagOf(call));
    },
  }),
} satisfies Record<string, Endpoint>;
