import * as z from 'zod';
import { digestOf, repositoryOf } from '../handlers/call.ts';
import type { Digest } from '../oci/digest.ts';
import { manifestUnknown } from '../oci/errors.ts';
import { referrerKindOf } from '../oci/referrer-kinds.ts';
import { listManifests, MAX_MANIFEST_ROWS, type ManifestRow as Row } from '../registry/manifest-rows.ts';
import { findManifest } from '../registry/manifests.ts';
import { listReferrers } from '../registry/referrers.ts';
import { tagsOn } from '../registry/tags-on.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { pageRequest } from './input.ts';
import { forCaller, iso } from './output.ts';
import { visibleRepository } from './rights.ts';
import { DigestText, Kind, Next, named, Principal, pageOf, Texts, Time } from './schemas.ts';

const ManifestRow = named(
  'ManifestRow',
  z.strictObject({
    digest: z.string(),
    kind: Kind,
    mediaType: z.string(),
    artifactType: z.string().optional(),
    size: z.int().describe('Bytes of the manifest.'),
    imageBytes: z.int().optional(),
    platforms: z.array(z.string()).optional(),
    pushedAt: Time,
    by: Principal.optional(),
    pulledAt: Time.optional().describe('To the day, by its digest.'),
    subject: z.string().optional(),
    usedBy: z.array(z.string()).describe('Manifests that list it, the first five.'),
  }),
);
const ManifestPage = named('ManifestPage', z.strictObject({ manifests: z.array(ManifestRow), next: Next }));
const TagsOn = named(
  'TagsOn',
  z.strictObject({ tags: z.array(z.string()), more: z.boolean().describe('Whether there are more.') }),
);
const Referrer = named(
  'ReferrerView',
  z.strictObject({
    digest: z.string(),
    kind: z
      .enum(['signature', 'attestation', 'sbom', 'provenance', 'scan', 'vex', 'other'])
      .describe('By its type; nobody has verified it.'),
    mediaType: z.string(),
    artifactType: z.string().optional(),
    size: z.int().describe('Bytes of the manifest.'),
    annotations: Texts,
  }),
);
const ReferrerPage = named('ReferrerPage', z.strictObject({ referrers: z.array(Referrer), next: Next }));

/** Ours: as many as a person reads. */
const MAX_TAGS = 1000;

export const endpoints = {
  'manifest.list': endpoint({
    summary: 'The manifests of a repository, all or those without a tag, in the order of their digests',
    query: z.strictObject({
      ...pageOf(DigestText, MAX_MANIFEST_ROWS),
      untagged: z
        .enum(['true', 'false'])
        .optional()
        .describe('Only those that no tag is on. The default is false.'),
    }),
    answer: ManifestPage,
    allow: visibleRepository,
    async handle(call, { query }) {
      const page = { ...pageRequest(query), untagged: query.untagged === 'true' };
      const { manifests, ...rest } = await listManifests(call.registry, repositoryOf(call), page);
      return { manifests: manifests.map((row) => forCaller(call, rowOut(row))), ...rest };
    },
  }),
  'manifest.tags': endpoint({
    summary: `The tags on a manifest, at most ${MAX_TAGS}`,
    answer: TagsOn,
    allow: visibleRepository,
    async handle(call) {
      const [name, digest] = [repositoryOf(call), digestOf(call)];
      if (!(await findManifest(call.registry, name, { kind: 'digest', digest })))
        throw manifestUnknown(name, digest);
      const { tags, more } = await tagsOn(call.registry, name, digest, MAX_TAGS);
      return { tags: [...tags], more };
    },
  }),
  'manifest.referrers': endpoint({
    summary: 'Manifests that are about this one, and what each is: signatures, SBOMs and the like',
    query: z.strictObject({ last: DigestText.optional().describe('The `next` of the page before.') }),
    answer: ReferrerPage,
    allow: visibleRepository,
    async handle(call, { query: { last } }) {
      const asked = { name: repositoryOf(call), subject: digestOf(call) };
      const page = await listReferrers(call.registry, { ...asked, ...(last && { last: last as Digest }) });
      const referrers = page.descriptors.map(({ annotations = {}, ...descriptor }) => ({
        ...descriptor,
        annotations,
        kind: referrerKindOf({ ...descriptor, annotations }),
      }));
      return { referrers, ...(page.next !== undefined && { next: page.next }) };
    },
  }),
} satisfies Record<string, Endpoint>;

const rowOut = ({ pushedAt, lastPulledAt, platforms, usedBy, ...row }: Row) => ({
  ...row,
  pushedAt: iso(pushedAt),
  ...(platforms && { platforms: [...platforms] }),
  ...(lastPulledAt !== undefined && { pulledAt: iso(lastPulledAt) }),
  usedBy: [...usedBy],
});
