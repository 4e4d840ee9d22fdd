import * as z from 'zod';
import { repositoryOf } from '../handlers/call.ts';
import { activityOf } from '../identity/activity.ts';
import { matcherOf } from '../oci/pattern.ts';
import { inTurns } from '../registry/in-turns.ts';
import type { Contents } from '../upkeep/contents.ts';
import { type Amount, amountOfAll, amountOfTags } from '../upkeep/reach.ts';
import { readTogether } from '../upkeep/read-together.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { iso } from './output.ts';
import { authorityOf, visibleRepository } from './rights.ts';
import { named, Time } from './schemas.ts';

const DAY_MS = 24 * 60 * 60_000;

/** Well inside Lambda's 29 s; nothing is kept to go on from. */
const USAGE_MS = 20_000;

const registryAdmins =
  'Only for admins of the registry: what other repositories hold is not for all to know.';

const amounts = {
  tags: z.int(),
  manifests: z.int(),
  blobs: z.int(),
  bytes: z.int().describe('Of the blobs, each counted once.'),
  metadataBytes: z.int().describe('Of the items in the table, about.'),
  elsewhereBytes: z
    .int()
    .optional()
    .describe(`Of the bytes, those that other repositories hold, too. ${registryAdmins}`),
  apportionedBytes: z
    .int()
    .optional()
    .describe(`The bytes, where a blob that two repositories hold counts half. ${registryAdmins}`),
};

const Amounts = named('Amount', z.strictObject(amounts));
const TagsAmount = named(
  'TagsAmount',
  z
    .strictObject({
      ...amounts,
      ownBytes: z.int().describe('Of the bytes, those that nothing else in the repository uses.'),
      blobsPerImage: z.number().describe('On average, config included.'),
    })
    .describe('The tags, and what they lead to: manifests, what an index lists, referrers, blobs.'),
);
const Activity = named(
  'Activity',
  z
    .strictObject({
      since: Time.describe('How far back was counted: less than was asked for where time ran out.'),
      pushes: z
        .int()
        .describe('Manifests pushed under one of the tags; without `tags`, under any reference.'),
      pullLogins: z
        .int()
        .describe('Logins to pull from the repository, whatever tag. Pulls without a login leave no record.'),
      pulledTags: z.int().describe('How many of the tags were pulled since then, by whomever.'),
    })
    .describe('From the audit trail, for admins of the repository.'),
);
const Usage = named(
  'Usage',
  z.strictObject({
    complete: z
      .boolean()
      .describe('Whether there was time to read the repository; where not, nothing else is told.'),
    tagged: TagsAmount.optional(),
    repository: Amounts.optional(),
    uploadBytes: z
      .int()
      .optional()
      .describe(
        'Of uploads that are under way, or not freed yet, as quotas count them; 0 where none counts bytes.',
      ),
    referrers: z
      .int()
      .optional()
      .describe('Manifests that are about another one, such as signatures and SBOMs.'),
    lastPushAt: Time.optional().describe('Absent where it holds nothing.'),
    lastPulledAt: Time.optional().describe('To the day. Absent where nobody has pulled from it for long.'),
    activity: Activity.optional(),
  }),
);

const query = z.strictObject({
  tags: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .describe('Which tags; `*` stands for any characters. Default: all.'),
  days: z.coerce
    .number()
    .int()
    .min(1)
    .max(365)
    .optional()
    .describe('Also tell the use of so many days, to admins of the repository.'),
});

export const endpoints = {
  'repository.usage': endpoint({
    summary: 'How much a repository holds, how much of it some tags lead to, and how much it is used',
    query,
    answer: Usage,
    allow: visibleRepository,
    async handle(call, { query: { tags, days } }) {
      const { registry } = call;
      const name = repositoryOf(call);
      const authority = await authorityOf(call);
      const withLinks = authority.administers('*');
      const until = registry.now() + USAGE_MS;
      const contents = await readTogether(registry, name, { until, withLinks });
      if (!contents) return { complete: false };
      const isWanted = wantedBy(tags);
      const out = <A extends Amount>({ elsewhereBytes, apportionedBytes, ...amount }: A) => ({
        ...amount,
        ...(withLinks && { elsewhereBytes, apportionedBytes }),
      });
      const told = {
        complete: true,
        tagged: out(await inTurns(registry, amountOfTags(contents, isWanted))),
        repository: out(await inTurns(registry, amountOfAll(contents))),
        uploadBytes: contents.held,
        ...(await inTurns(registry, factsOf(contents))),
      };
      if (days === undefined || !authority.may('admin', name)) return told;
      const since = registry.now() - days * DAY_MS;
      const { since: reached, ...counts } = await activityOf(registry, { name, isWanted, since, until });
      const pulledTags = [...contents.tags.keys()].filter(
        (tag) => isWanted(tag) && (contents.pulls.get(tag) ?? 0) >= reached,
      ).length;
      return { ...told, activity: { ...counts, since: iso(reached), pulledTags } };
    },
  }),
} satisfies Record<string, Endpoint>;

function* factsOf({ manifests, pulls, lastPush }: Contents) {
  let [referrers, lastPull] = [0, 0];
  for (const { subject } of manifests.values()) {
    if (subject !== undefined) referrers += 1;
    yield;
  }
  for (const at of pulls.values()) {
    lastPull = Math.max(lastPull, at);
    yield;
  }
  return {
    referrers,
    ...(lastPush > 0 && { lastPushAt: iso(lastPush) }),
    ...(lastPull > 0 && { lastPulledAt: iso(lastPull) }),
  };
}

/** All tags and digests, or the tags that match. */
function wantedBy(pattern: string | undefined): (reference: string) => boolean {
  if (pattern === undefined) return () => true;
  const matches = matcherOf(pattern);
  return (reference) => !reference.includes(':') && matches(reference);
}
