import type { Command } from 'commander';
import type { ConfigView, ImageContent, ImageView } from '../../api/types.ts';
import { type ComparedRow, type Comparison, compareImages } from '../../functions/oci/compare.ts';
import type { Api } from '../api.ts';
import { Failure } from '../failure.ts';
import { onRegistry, type Session } from '../session.ts';
import { dayText, facts, sizeText, table, timeText } from '../text.ts';
import { type Restorable, referenceValue } from '../values.ts';

interface Options {
  readonly platform?: string;
}

const PLATFORM = ['--platform <platform>', 'which image of an index: linux/arm64'] as const;

export function addImageCommands(program: Command): void {
  program
    .command('image')
    .description('show an image: layers, what made them, config')
    .argument('<image>', 'team-a/app:v1, or team-a/app@sha256:…', referenceValue)
    .option(...PLATFORM)
    .addHelpText('after', '\nTo look is no pull: it keeps nothing from retention.')
    .action(onRegistry(showImage));
  program
    .command('diff')
    .description('show what is between two images')
    .argument('<a>', '', referenceValue)
    .argument('<b>', '', referenceValue)
    .option(...PLATFORM)
    .addHelpText('after', ABOUT_DIFF)
    .action(onRegistry(showDifference));
}

const ABOUT_DIFF = `
A line that made another layer than before is "changed"; one without a layer, such as ENV, has no size. Of indexes, the images for
linux/amd64 are compared, or the only ones.

Example:
  stowage diff team-a/app:v1.41.9 team-a/app:v1.42.0 --platform linux/arm64`;

const viewOf = (api: Api, { repository, tag, digest }: Restorable, platform?: string) =>
  api.get<ImageView>(`/repositories/${repository}/-/images/${digest ?? tag}`, { platform });

async function showImage({ api, output }: Session, image: Restorable, { platform }: Options): Promise<void> {
  const view = await viewOf(api, image, platform);
  const { children = [], annotations, tags, more, imageBytes, by } = view;
  output.result(view, () => {
    const told = facts([
      ['image', nameOf(image)],
      ['digest', view.digest],
      ['kind', view.artifactType ?? view.kind],
      ['size', imageBytes === undefined ? undefined : sizeText(imageBytes)],
      ['pushed', `${timeText(view.pushedAt)}${by === undefined ? '' : ` by ${by}`}`],
      ['also', `${tags.join(' ')}${more ? ' and more' : ''}`],
      ...Object.entries(annotations).map(([name, text]) => [`annotation ${name}`, text] as const),
      ...configFacts(view.image?.config),
    ]);
    const listed = children.map((child) => [
      ...[child.platform ?? child.kind, child.digest, sizeText(child.imageBytes)],
    ]);
    const platforms = listed.length > 0 ? `\n${table(['PLATFORM', 'DIGEST', 'SIZE'], listed)}` : '';
    return `${told}${platforms}${view.image ? `\n${layersTable(view.image)}` : ''}`;
  });
}

const nameOf = ({ repository, tag, digest }: Restorable) =>
  digest === undefined ? `${repository}:${tag}` : `${repository}@${digest}`;

function configFacts(config: ConfigView | undefined): readonly (readonly [string, string | undefined])[] {
  if (!config) return [];
  if (config.tooLarge) return [['config', 'too large to be shown']];
  const { env, labels, ports, entrypoint, cmd } = config;
  return [
    ['platform', [config.os, config.architecture, config.variant].filter(Boolean).join('/')],
    ['created', dayText(config.createdAt)],
    ['entrypoint', entrypoint && JSON.stringify(entrypoint)],
    ['cmd', cmd && JSON.stringify(cmd)],
    ['user', config.user],
    ['workdir', config.workdir],
    ['ports', ports.join(' ')],
    ...env.map((text) => ['env', text] as const),
    ...Object.entries(labels).map(([name, text]) => [`label ${name}`, text] as const),
  ];
}

const layersTable = ({ layers }: ImageContent) =>
  table(
    ['LAYER', 'SIZE', 'LINE'],
    layers.map(({ digest, size, line = '' }) => [digest.slice(0, 19), sizeText(size), line]),
  );

async function showDifference(
  { api, output }: Session,
  a: Restorable,
  b: Restorable,
  { platform }: Options,
): Promise<void> {
  const [left, right] = [await contentOf(api, a, platform), await contentOf(api, b, platform)];
  const difference = compareImages(left, right);
  output.result(difference, () => differenceText(difference));
}

/** Of an index: the image for the platform, the usual one, or the only one. */
async function contentOf(api: Api, image: Restorable, platform?: string): Promise<ImageContent> {
  const view = await viewOf(api, image, platform);
  if (view.image) return view.image;
  const platforms = (view.children ?? []).flatMap((child) => child.platform ?? []);
  const usual = platforms.find((one) => one === 'linux/amd64') ?? platforms[0];
  const content = usual === undefined ? undefined : (await viewOf(api, image, usual)).image;
  if (content) return content;
  throw new Failure(`${nameOf(image)} lists no image that names a platform`);
}

function differenceText({ rows, config, bytes }: Comparison): string {
  const same = rows.filter(({ is }) => is === 'same');
  const shared = same.reduce((sum, { a }) => sum + (a?.size ?? 0), 0);
  const layers = same.filter(({ a }) => a).length;
  const changes = rows.filter(({ is }) => is !== 'same').map(cellsOf);
  const told = facts([
    ['difference', signed(bytes)],
    ['same', `${layers} ${layers === 1 ? 'layer' : 'layers'}, ${sizeText(shared)}`],
  ]);
  const lines = changes.length > 0 ? `\n${table(['', 'BYTES', 'SIZE', 'LINE'], changes)}` : '';
  const fields = config.map(({ field, a = '', b = '' }) => [field, a, b]);
  return `${told}${lines}${fields.length > 0 ? `\n${table(['CONFIG', 'A', 'B'], fields)}` : ''}`;
}

const cellsOf = ({ is, a, b, line, bytes }: ComparedRow) => [
  is,
  a || b ? signed(bytes) : '',
  [a, b].flatMap((layer) => (layer ? sizeText(layer.size) : [])).join(' -> '),
  line ?? (b ?? a)?.digest ?? '',
];

const signed = (bytes: number) => `${bytes < 0 ? '-' : '+'}${sizeText(Math.abs(bytes))}`;
