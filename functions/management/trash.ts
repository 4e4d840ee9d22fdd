import * as z from 'zod';
import { type Call, repositoryOf } from '../handlers/call.ts';
import type { Digest } from '../oci/digest.ts';
import { nameUnknown } from '../oci/errors.ts';
import { parseRepositoryName } from '../oci/reference.ts';
import { refuseImmutableOn } from '../registry/immutable-tags.ts';
import { type Purged, purgeEverywhere, purgeIn } from '../registry/purge.ts';
import { findRepository } from '../registry/repositories.ts';
import { listTrash, TRASH_POSITION, type Trashed } from '../registry/trash.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { pageRequest } from './input.ts';
import { iso } from './output.ts';
import { authorityOf, permitRepository, requireAdmin } from './rights.ts';
import { DigestText, Next, named, Principal, pageOf, RepositoryText, Time } from './schemas.ts';

/** Ours: what one request does at most, well inside Lambda's 29 s; whoever asks again goes on. */
const PURGE_MS = 10_000;

/** Ours: each may be read with a manifest of 16 KiB. */
const MAX_ENTRIES = 100;

const TrashEntry = named(
  'TrashEntry',
  z.strictObject({
    kind: z.enum(['manifest', 'tag']),
    tag: z.string().optional(),
    digest: z.string(),
    mediaType: z.string(),
    size: z.int().describe('Bytes of the manifest.'),
    deletedAt: Time,
    deletedBy: Principal.optional(),
    reason: z.string().optional().describe('For people; absent where somebody asked for it.'),
    until: Time.optional().describe(
      'It may go for good from then on. Absent of a tag whose manifest is there: it can come back as long as that is.',
    ),
  }),
);
const Trash = named('Trash', z.strictObject({ entries: z.array(TrashEntry), next: Next }));

const PurgeRequest = named(
  'PurgeRequest',
  z.strictObject({
    digest: DigestText.describe('Of a blob, with which all images go that use it; or of an image.'),
    last: RepositoryText.optional().describe('The `next` of the answer before.'),
    dryRun: z.boolean().optional().describe('Only say what would go. The default is false.'),
  }),
);
const RepositoryPurge = named('RepositoryPurgeRequest', PurgeRequest.omit({ last: true }));

const PurgedOut = named(
  'Purged',
  z.strictObject({
    repository: z.string(),
    kind: z.enum(['manifest', 'blob']),
    digest: z.string(),
    size: z.int().describe('Bytes.'),
    tags: z.array(z.string()).describe('Tags that went with a manifest: a hundred at most.'),
    outcome: z.enum(['purged', 'kept']).describe('`kept`: something else in the repository uses it.'),
    reason: z.string(),
  }),
);
const purgeFields = {
  entries: z.array(PurgedOut),
  remaining: z
    .boolean()
    .describe('Not all is done yet: send the request again, with `last` where there is a `next`.'),
};
const RepositoryPurged = named('RepositoryPurgeResult', z.strictObject(purgeFields));
const PurgeResult = named(
  'PurgeResult',
  z.strictObject({
    ...purgeFields,
    objects: z
      .array(z.string())
      .describe(
        'Keys of objects that were deleted from the blob store: what a cache before it may still hold.',
      ),
    next: Next,
  }),
);

export const endpoints = {
  'trash.list': endpoint({
    summary: 'What was deleted in a repository and can come back, and until when',
    query: z.strictObject(pageOf(z.string().regex(TRASH_POSITION, 'is not where a page ended'), MAX_ENTRIES)),
    answer: Trash,
    allow: (call) => permitRepository(call, 'admin'),
    async handle(call, { query: { n, last } }) {
      const name = repositoryOf(call);
      if (!(await findRepository(call.registry, name))) throw nameUnknown(name);
      const { limit } = pageRequest({ n });
      const { quarantineMs } = call.lease;
      const { entries, ...rest } = await listTrash(call.registry, name, { quarantineMs, limit, last });
      return { entries: entries.map(trashOut), ...rest };
    },
  }),
  'repository.purge': endpoint({
    summary:
      'Delete a blob or an image of a repository for good and at once, and its bytes where no other repository has them: a secret ' +
      'that was pushed',
    body: RepositoryPurge,
    answer: RepositoryPurged,
    allow: (call) => permitRepository(call, 'admin'),
    async handle(call, { body }) {
      const name = repositoryOf(call);
      call.about(aboutOf(body));
      const { entries, remaining } = await purgeIn(call.registry, name, body.digest as Digest, {
        until: call.registry.now() + PURGE_MS,
        dryRun: body.dryRun ?? false,
        permit: await permitOf(call),
      });
      return { entries: entries.map(purgedOut), remaining };
    },
  }),
  'registry.purge': endpoint({
    summary: 'The same in every repository at once',
    body: PurgeRequest,
    answer: PurgeResult,
    allow: requireAdmin,
    async handle(call, { body }) {
      call.about(aboutOf(body));
      const last = body.last === undefined ? undefined : parseRepositoryName(body.last);
      const { entries, objects, ...rest } = await purgeEverywhere(call.registry, body.digest as Digest, {
        until: call.registry.now() + PURGE_MS,
        dryRun: body.dryRun ?? false,
        last,
      });
      return { entries: entries.map(purgedOut), objects: [...objects], ...rest };
    },
  }),
} satisfies Record<string, Endpoint>;

/** What a policy holds, admins of the registry may take all the same. */
async function permitOf(call: Call) {
  const overrules = (await authorityOf(call)).administers('*');
  return async (...what: readonly [name: ReturnType<typeof repositoryOf>, digest: Digest]) => {
    if (!overrules) await refuseImmutableOn(call.registry, ...what);
  };
}

/** For the audit trail. */
const aboutOf = ({ digest, dryRun }: { readonly digest: string; readonly dryRun?: boolean | undefined }) =>
  `purge ${digest}${dryRun ? ', dry run' : ''}`;

const trashOut = ({ deletedAt, until, ...entry }: Trashed): z.infer<typeof TrashEntry> => ({
  ...entry,
  deletedAt: iso(deletedAt),
  ...(until !== undefined && { until: iso(until) }),
});

const purgedOut = ({ tags, ...entry }: Purged): z.infer<typeof PurgedOut> => ({ ...entry, tags: [...tags] });
