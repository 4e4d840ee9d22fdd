import * as z from 'zod';
import type { Call } from '../handlers/call.ts';
import { repositoryOf } from '../handlers/call.ts';
import type { Digest } from '../oci/digest.ts';
import { nameUnknown } from '../oci/errors.ts';
import type { Tag } from '../oci/reference.ts';
import { findRepository } from '../registry/repositories.ts';
import { type Restored as Entry, restore, restoreTags, type Wanted } from '../registry/restore.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { iso } from './output.ts';
import { permitRepository } from './rights.ts';
import { DigestText, Moment, named, TagName } from './schemas.ts';

/** Ours: what one request takes at most, well inside Lambda's 29 s; whoever asks again goes on. */
const MAX_MS = 10_000;

const RestoreRequest = named(
  'RestoreRequest',
  z
    .strictObject({
      tag: TagName.optional().describe('Absent: all tags, which needs `at`.'),
      digest: DigestText.optional().describe('A manifest; with `tag`, which is put on it.'),
      at: Moment.optional().describe(
        'As it was then. The default is before it was deleted; a tag that exists then stays where it is.',
      ),
      last: TagName.optional().describe('The `next` of the answer before.'),
      dryRun: z.boolean().optional().describe('Only say what would come back. The default is false.'),
    })
    .refine(({ tag, digest, at }) => tag ?? digest ?? at, {
      path: ['at'],
      message: 'is needed where neither a tag nor a digest is named',
    })
    .refine(({ tag, digest, last }) => last === undefined || (tag ?? digest) === undefined, {
      path: ['last'],
      message: 'goes on with all tags: name neither a tag nor a digest',
    })
    .meta({
      anyOf: [{ required: ['tag'] }, { required: ['digest'] }, { required: ['at'] }],
      not: { required: ['last'], anyOf: [{ required: ['tag'] }, { required: ['digest'] }] },
    }),
);

const Restored = named(
  'Restored',
  z.strictObject({
    kind: z.enum(['tag', 'manifest']),
    tag: z.string().optional(),
    digest: z.string().optional(),
    outcome: z
      .enum(['restored', 'unchanged', 'lost'])
      .describe('`lost` cannot come back. In a dry run, what it would be.'),
    reason: z.string().describe('For people.'),
  }),
);
const Restoration = named(
  'Restoration',
  z.strictObject({
    entries: z.array(Restored).describe('Of all tags, those that change or are lost.'),
    remaining: z
      .boolean()
      .describe('Not all is done yet: send the request again, with `last` where there is a `next`.'),
    next: z.string().optional().describe('The `last` of the request that goes on.'),
  }),
);

export const endpoints = {
  'repository.restore': endpoint({
    summary: 'Bring back deleted tags and manifests, or tags as they were, within the quarantine',
    body: RestoreRequest,
    answer: Restoration,
    problems: {
      409: 'Something it needs is gone: its quarantine is over, or somebody deleted a blob of it.',
    },
    allow: (call) => permitRepository(call, 'admin'),
    async handle(call, { body }) {
      const name = repositoryOf(call);
      call.about(aboutOf(body));
      if (!(await findRepository(call.registry, name))) throw nameUnknown(name);
      const { entries, ...rest } = await run(call, body);
      return { entries: entries.map((entry: Entry) => ({ ...entry })), ...rest };
    },
  }),
} satisfies Record<string, Endpoint>;

async function run(call: Call, { tag, digest, at, last, dryRun = false }: z.infer<typeof RestoreRequest>) {
  const { registry } = call;
  const name = repositoryOf(call);
  const options = { until: registry.now() + MAX_MS, dryRun };
  const time = at === undefined ? undefined : Date.parse(at);
  const wanted = {
    ...(tag !== undefined && { tag: tag as Tag }),
    ...(digest !== undefined && { digest: digest as Digest }),
    ...(time !== undefined && { at: time }),
  };
  if (tag !== undefined || digest !== undefined) return restore(registry, name, wanted as Wanted, options);
  const page = { at: time ?? 0, ...(last !== undefined && { last }) };
  return restoreTags(registry, name, page, options);
}

/** For the audit trail. */
function aboutOf({ tag, digest, at, dryRun }: z.infer<typeof RestoreRequest>): string {
  const what = [tag, digest].filter((part) => part !== undefined).join('@') || 'all tags';
  const when = at === undefined ? '' : ` of ${iso(Date.parse(at))}`;
  return `restore ${what}${when}${dryRun ? ', dry run' : ''}`;
}
