import * as z from 'zod';
import { globProblem, groupProblem } from '../oci/glob.ts';
import { MAX_PLACES } from '../registry/retention-policy.ts';

/** Ours; more would be a mistake, or another policy. */
export const MAX_PATTERNS = 100;
const MAX_RULES = 50;
const MAX_DAYS = 36_500;
/** How long pulls are remembered, and a margin. */
const MAX_PULLED_DAYS = 365;
const MAX_PATTERN = 256;
/** What rules could give before there was a limit; they still hold. */
const MAX_COUNT = 1_000_000;
/** Ours: the names of versions are up to four times as long as times are. */
const MAX_HIGHEST = MAX_PLACES / 4;

/** Fields of which at least one must be there: an object without any of them is a mistake. */
export function oneOf<S extends z.ZodRawShape>(shape: S, keys: readonly (string & keyof S)[]) {
  const text = `needs at least one of ${keys.join(', ')}`;
  return z
    .strictObject(shape)
    .refine((value) => keys.some((key) => value[key as keyof typeof value] !== undefined), text)
    .meta({ anyOf: keys.map((key) => ({ required: [key] })) });
}

function patternOf(characters: RegExp, problem: (pattern: string) => string | undefined) {
  return z
    .string()
    .min(1)
    .max(MAX_PATTERN)
    .superRefine((pattern, context) => {
      const message = characters.test(pattern) ? problem(pattern) : 'has a character that no tag has';
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    });
}

const TagPattern = patternOf(/^[a-zA-Z0-9._*?![\]^-]+$/, tagProblem).describe(
  'A tag, in which `*` stands for any characters, `?` for one, `[a-z]` or `[!a-z]` for one of a set.',
);

/** A tag begins with a letter, a digit or `_`. */
function tagProblem(pattern: string): string | undefined {
  if (/^[.-]/.test(pattern)) return 'must be a tag, in which * stands for any characters; none begins so';
  return globProblem(pattern);
}

export const TagPatterns = z.array(TagPattern).min(1).max(MAX_PATTERNS);
const TextPatterns = z
  .array(patternOf(/./s, globProblem))
  .min(1)
  .max(MAX_PATTERNS)
  .describe('Patterns as those of tags; `[*]` is a star.');
const Days = z.int().min(0).max(MAX_DAYS).optional();
const Values = z
  .record(z.string().min(1).max(MAX_PATTERN), TextPatterns)
  .refine((values) => Object.keys(values).length <= MAX_PATTERNS, `has more than ${MAX_PATTERNS} names`);

const Where = oneOf(
  {
    labels: Values.optional().describe("Labels of the image's config, with patterns of their values."),
    annotations: Values.optional().describe('Annotations of the manifest.'),
    artifactTypes: TextPatterns.optional(),
    mediaTypes: TextPatterns.optional(),
  },
  ['labels', 'annotations', 'artifactTypes', 'mediaTypes'],
).describe('What else the image must be, to be matched.');

const Among = oneOf({ tags: TagPatterns.optional(), untagged: z.boolean().optional() }, [
  'tags',
  'untagged',
]).describe(
  'What the rule counts. The default is what it matches, without what is pinned, held or just restored.',
);

const keepLast = z.int().min(0).max(MAX_COUNT).optional();
const clauses = {
  where: Where.optional(),
  among: Among.optional(),
  keepLast: keepLast.describe('The last so many, by the time they were put where they are.'),
  keepLastPulled: keepLast.describe('The so many that were pulled last.'),
  keepNewerThanDays: Days.describe('Those put where they are within so many days.'),
  keepCreatedWithinDays: Days.describe('Those built within so many days, as their config says.'),
  keepNone: z.literal(true).optional().describe('None of those that match.'),
};

const TagRule = z
  .strictObject({
    match: TagPatterns,
    except: TagPatterns.optional(),
    by: z
      .enum(['tag', 'image'])
      .optional()
      .describe(
        '`image`: its tags are matched, counted and deleted together, and it with them. The default is `tag`.',
      ),
    with: TagPatterns.optional().describe('By image: for each of these patterns it also has a tag.'),
    per: patternOf(/^[a-zA-Z0-9._*?![\]^()-]+$/, perProblem)
      .optional()
      .describe(
        '`major` or `minor`, or a pattern whose group says which tags have places of their own: `(*)-*`.',
      ),
    ...clauses,
    keepHighest: z
      .int()
      .min(0)
      .max(MAX_HIGHEST)
      .optional()
      .describe('The so many highest semantic versions.'),
    keepPulledWithinDays: z
      .int()
      .min(0)
      .max(MAX_PULLED_DAYS)
      .optional()
      .describe('Those pulled, or put where they are, within so many days.'),
  })
  .describe('A tag that matches stays while one of its clauses, or another rule that matches, keeps it.');

function perProblem(pattern: string): string | undefined {
  return pattern === 'major' || pattern === 'minor' ? undefined : groupProblem(pattern);
}

const UntaggedRule = z
  .strictObject(clauses)
  .describe(
    'Of manifests without a tag that belong to nothing: the time is the latest of push, loss of the last tag, and pull.',
  );

const Hour = z.int().min(0).max(23);

export const Retention = oneOf(
  {
    pins: TagPatterns.optional().describe('Tags that are never deleted by themselves.'),
    tags: z.array(TagRule).min(1).max(MAX_RULES).optional(),
    untagged: z.array(UntaggedRule).min(1).max(MAX_RULES).optional(),
    untaggedAfterDays: Days.describe('An untagged manifest that belongs to nothing goes after so many days.'),
    ignorePullsBy: z
      .array(z.string().min(1).max(MAX_PATTERN))
      .min(1)
      .max(MAX_PATTERNS)
      .optional()
      .describe(
        'Principals whose pulls do not count, such as `robot:scanner-*`; `*` stands for any characters.',
      ),
    run: oneOf(
      {
        maxDeletions: z.int().min(1).max(MAX_COUNT).optional().describe('Of tags and manifests, in one run.'),
        hours: z
          .array(Hour)
          .length(2)
          .optional()
          .describe('UTC; from the first hour to the second, which may be that of the next day.'),
      },
      ['maxDeletions', 'hours'],
    ).optional(),
  },
  ['pins', 'tags', 'untagged', 'untaggedAfterDays', 'ignorePullsBy', 'run'],
);
