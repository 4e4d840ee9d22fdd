import * as z from 'zod';
import { referenceOf, repositoryOf } from '../handlers/call.ts';
import { manifestUnknown, notFound } from '../oci/errors.ts';
import { viewImage } from '../registry/image-views.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { forCaller, iso } from './output.ts';
import { authorityOf, visibleRepository } from './rights.ts';
import { Kind, named, Principal, Texts, Time } from './schemas.ts';

const Config = named(
  'ImageConfig',
  z.strictObject({
    os: z.string(),
    architecture: z.string(),
    variant: z.string().optional(),
    createdAt: Time.optional(),
    entrypoint: z.array(z.string()).optional(),
    cmd: z.array(z.string()).optional(),
    env: z.array(z.string()),
    user: z.string().optional(),
    workdir: z.string().optional(),
    ports: z.array(z.string()),
    volumes: z.array(z.string()),
    labels: Texts,
    stopSignal: z.string().optional(),
    healthcheck: z.array(z.string()).optional(),
    tooLarge: z.literal(true).optional().describe('Above 1 MiB, and not read: nothing else of it is told.'),
  }),
);
const Layer = named(
  'ImageLayer',
  z.strictObject({
    digest: z.string(),
    size: z.int(),
    mediaType: z.string(),
    line: z.string().optional().describe('What made it, as its history says.'),
    createdAt: Time.optional(),
    repositories: z
      .int()
      .optional()
      .describe('How many repositories hold it. Only for admins of the registry.'),
  }),
);
const Content = named(
  'ImageContent',
  z.strictObject({
    config: Config,
    layers: z.array(Layer),
    emptyLines: z
      .array(z.strictObject({ at: z.int(), line: z.string() }))
      .describe('Lines of the history without a layer; `at` is how many layers stand before it.'),
    aligned: z
      .boolean()
      .describe('Whether the history has a line for each layer; where not, no layer has a line.'),
  }),
);
const Child = named(
  'ImageChild',
  z.strictObject({
    digest: z.string(),
    platform: z.string().optional(),
    kind: z.enum(['image', 'attestation', 'other']),
    of: z.string().optional().describe('Of an attestation: the image that it is about.'),
    imageBytes: z.int().describe('0 where it is not known, or not there.'),
  }),
);
const Image = named(
  'Image',
  z.strictObject({
    digest: z.string(),
    tag: z.string().optional(),
    kind: Kind,
    mediaType: z.string(),
    artifactType: z.string().optional(),
    size: z.int().describe('Bytes of the manifest.'),
    imageBytes: z.int().optional(),
    platforms: z.array(z.string()).optional(),
    pushedAt: Time,
    by: Principal.optional(),
    subject: z.string().optional(),
    annotations: Texts,
    children: z.array(Child).optional().describe('Of an index: the first 1,000 of what it lists.'),
    image: Content.optional().describe('Of an index, of its image for `platform`, where that is asked for.'),
    tags: z.array(z.string()).describe('Other tags on it, 50 at most.'),
    more: z.boolean().describe('Whether there are more tags on it.'),
  }),
);

export const endpoints = {
  'image.get': endpoint({
    summary: 'An image or index, what it is made of, and what it lists; to look at it is no pull',
    query: z.strictObject({
      platform: z
        .string()
        .min(1)
        .max(100)
        .optional()
        .describe('`linux/arm64`: which image of an index to look into.'),
    }),
    answer: Image,
    allow: visibleRepository,
    async handle(call, { query: { platform } }) {
      const [name, reference] = [repositoryOf(call), referenceOf(call)];
      const text = call.params['reference'] ?? '';
      const withRepositories = (await authorityOf(call)).administers('*');
      const view = await viewImage(call.registry, name, reference, { platform, withRepositories });
      if (!view) throw manifestUnknown(name, text);
      if (!('digest' in view)) {
        const has = view.platforms.join(', ') || 'no image that names one';
        throw notFound(`platform in ${text} of ${name}: ${platform}; it has ${has}`);
      }
      return forCaller(call, { ...view, pushedAt: iso(view.pushedAt) }) as unknown as z.infer<typeof Image>;
    },
  }),
} satisfies Record<string, Endpoint>;
