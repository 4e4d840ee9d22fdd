import * as z from 'zod';
import { GRANT_ACTIONS, GRANT_PATTERN } from '../identity/grants.ts';
import { SUBJECT_NAME } from '../identity/principal.ts';
import { MAX_GRANTS } from '../identity/subject-grants.ts';
import { MAX_NAME_LENGTH, REPOSITORY_NAME, TAG } from '../oci/reference.ts';
import { POLICY_NAME } from '../registry/policies.ts';
import type { Finding } from '../upkeep/finding.ts';

/** The schemas that the OpenAPI document names. */
export const components = z.registry<{ readonly id: string }>();

/** Gives a schema a name of its own in the document. */
export function named<S extends z.ZodType>(id: string, schema: S): S {
  components.add(schema, { id });
  return schema;
}

const NAME_RULE = 'lower-case letters and digits, with . _ and - between, 1 to 64 characters';

export const SubjectName = z
  .string()
  .regex(SUBJECT_NAME, `must be ${NAME_RULE}`)
  .describe(`${NAME_RULE[0]?.toUpperCase()}${NAME_RULE.slice(1)}.`);

export const PolicyName = z
  .string()
  .regex(
    POLICY_NAME,
    'must be lower-case letters, digits, . _ and -, the first a letter or digit, 1 to 64 characters',
  )
  .describe('Lower case letters, digits, `.`, `_` and `-`, the first a letter or digit; 1 to 64 characters.');

export const TagName = z.string().regex(TAG, 'is no tag');

/** As many as are read at once. */
export const TagNames = z.array(TagName).min(1).max(100);

/** What a manifest is. */
export const Kind = z
  .enum(['image', 'index', 'artifact'])
  .describe('An `artifact` has a config that is none of an image.');

/** Annotations, labels. */
export const Texts = z.record(z.string(), z.string());

const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

export const DigestText = z.string().regex(DIGEST, 'is no digest');

export const RepositoryText = z
  .string()
  .max(MAX_NAME_LENGTH)
  .regex(REPOSITORY_NAME, 'is not the name of a repository');

export const Principal = z
  .string()
  .describe('`user:alice`, `robot:ci`, or `oidc:<issuer>:<subject>` of a CI job that logged in by ID token.');

export const Description = z.string().max(500);

/** Long enough that what a limited number of guesses can find is not among it. */
export const Password = z.string().min(12).max(256);

/** As the API answers it. */
export const Time = z.iso.datetime({ offset: true }).describe('ISO 8601');

/** As the API takes it: what lies further away is a mistake, and would not sort in a key. */
export const Moment = z.iso
  .datetime({ offset: true })
  .regex(/^(?:19[7-9]\d|[2-8]\d{3})-/, 'must lie in the years from 1970 to 8999')
  .describe('ISO 8601 with an offset or Z, from 1970 to 8999.');

export const FutureTime = Moment.describe(
  'ISO 8601 with an offset or Z; must lie in the future, in the year 8999 at the latest.',
);

export const GrantPattern = z
  .string()
  .regex(GRANT_PATTERN, 'must be a repository name, in which * stands for any characters: team-a/*')
  .describe(
    'A repository name in which `*` stands for any characters, slashes included. `*` alone is every repository, and ' +
      '`admin` of it is admin of the registry.',
  );

export const GrantActions = z
  .array(z.enum(GRANT_ACTIONS))
  .min(1)
  .max(GRANT_ACTIONS.length)
  .describe('`push` includes `pull`; `admin` includes all.');

export const Grant = named('Grant', z.strictObject({ pattern: GrantPattern, actions: GrantActions }));

export const Grants = z.array(Grant).max(MAX_GRANTS);

export const Problem = named(
  'Problem',
  z
    .strictObject({
      type: z.literal('about:blank'),
      title: z.string(),
      status: z.int(),
      detail: z.string().describe('What is wrong, for people.'),
      code: z.string().describe('The same for programs: `tag-immutable`, `grant-missing`, `conflict`.'),
      params: z.record(z.string(), z.string()).optional().describe('What the text names, by name.'),
      errors: z
        .array(z.strictObject({ path: z.string(), message: z.string() }))
        .optional()
        .describe('Each place in the request that is wrong: `grants.0.pattern`.'),
    })
    .describe('RFC 9457'),
);

/** `n` and `last` of a list. */
export function pageOf<L extends z.ZodType>(last: L, max = 1000) {
  const n = z.coerce.number().int().min(1).max(max).optional();
  return {
    n: n.describe(
      'At most so many entries; a page may have fewer and still have a `next`. The default is 100.',
    ),
    last: last.optional().describe('The `next` of the page before.'),
  };
}

/** What `prefix` is in lists that have it. */
export const BEGINNING = 'Only those that begin so.';

/** The `last` of the page that follows; absent on the last page. */
export const Next = z
  .string()
  .optional()
  .describe('The `last` of the page that follows; absent on the last page.');

/** What a rule knew of a tag or manifest that it lets go. */
export const Why = {
  rule: z.int().optional().describe("Which of the policy's rules, from 0."),
  rank: z.int().optional().describe('Its place among the `of` that the rule counts, from 1.'),
  of: z.int().optional(),
  ageDays: z
    .number()
    .optional()
    .describe('How long it has been where it is, or has belonged to nothing, to a hundredth.'),
  lastPulledAt: Time.optional().describe('Absent where that did not count, or it never was.'),
};

const DAY_MS = 24 * 60 * 60_000;

/** The same, of what was decided. */
export const whyOut = ({
  ageMs,
  lastPulledAt,
}: {
  readonly ageMs?: number | undefined;
  readonly lastPulledAt?: number | undefined;
}) => ({
  ...(ageMs !== undefined && { ageDays: Math.round((100 * ageMs) / DAY_MS) / 100 }),
  ...(lastPulledAt !== undefined && { lastPulledAt: new Date(lastPulledAt).toISOString() }),
});

/** What a sweep or retention has decided about one thing, and why. */
export const FindingOut = named(
  'Finding',
  z.strictObject({
    action: z.enum(['delete', 'keep']),
    kind: z
      .enum(['blob', 'manifest', 'tag', 'grave', 'edge'])
      .describe(
        'A `grave` is a deleted manifest in quarantine; an `edge` is what is left of a manifest that is gone.',
      ),
    tag: z.string().optional(),
    digest: z.string(),
    size: z.int().optional().describe('Bytes of a blob or a manifest.'),
    policy: z.string().optional().describe('That lets it go.'),
    ...Why,
    owner: z.string().optional().describe('The manifest with which it stays or goes.'),
    reason: z.string(),
  }),
);

/** What a path names, by parameter. */
export const PARAMETERS: Readonly<Record<string, z.ZodType>> = {
  user: SubjectName,
  robot: SubjectName,
  group: SubjectName,
  issuer: SubjectName,
  policy: PolicyName,
  preview: z
    .string()
    .regex(/^[0-9a-f-]{36}$/)
    .describe('The id of a preview.'),
  digest: DigestText,
  token: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .describe('The id of an access token.'),
  session: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .describe('The id of a session.'),
  tag: TagName,
  reference: z
    .string()
    .regex(new RegExp(`${TAG.source}|${DIGEST.source}`))
    .describe('A tag, or a digest.'),
  name: RepositoryText.describe('A repository, with its slashes as they are: `team-a/app`.'),
};

/** The same, as upkeep has it. */
export function findingOut({
  ageMs,
  lastPulledAt,
  imageBytes: _,
  ...finding
}: Finding): z.infer<typeof FindingOut> {
  return { ...finding, ...whyOut({ ageMs, lastPulledAt }) };
}
