// What an image is made of, as its config tells. Read leniently: a config is whatever somebody pushed, and a part of it that is
// not what it should be is left out.

/** What an image runs as.
 *  https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md */
export interface ConfigView {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly createdAt?: string;
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly env: readonly string[];
  readonly user?: string;
  readonly workdir?: string;
  readonly ports: readonly string[];
  readonly volumes: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly stopSignal?: string;
  readonly healthcheck?: readonly string[];
  /** It was too large to be read: nothing else of it is known. */
  readonly tooLarge?: true;
}

export interface Layer {
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  readonly mediaType: string;
  /** What made it, as the history says. */
  readonly line?: string;
  readonly createdAt?: string;
  /** How many repositories hold it, where that was asked for. */
  readonly repositories?: number;
}

export interface ImageContent {
  readonly config: ConfigView;
  readonly layers: readonly Layer[];
  /** Lines of the history without a layer; `at` is how many layers stand before it. */
  readonly emptyLines: readonly { readonly at: number; readonly line: string }[];
  /** Whether the history has as many lines with a layer as there are layers; where not, no layer has a line. */
  readonly aligned: boolean;
}

type Json = Readonly<Record<string, unknown>>;

/** The lines and fields of one image that are shown; beyond, a config is no use to read. */
const MAX_ENTRIES = 1000;
const MAX_TEXT = 10_000;

const CONFIG_TOO_LARGE: ConfigView = {
  ...{ os: '', architecture: '', env: [], ports: [], volumes: [], labels: {} },
  tooLarge: true,
};

/** The image of these layers and of this config; `undefined` is one that was not read. */
export function imageContentOf(layers: readonly Layer[], config: Uint8Array | undefined): ImageContent {
  if (!config) return { config: CONFIG_TOO_LARGE, layers, emptyLines: [], aligned: false };
  const json = jsonIn(config);
  return { config: configViewOf(json), ...alignedTo(layers, historyIn(json)) };
}

/** The config and the layers that the bytes of a manifest name. */
export function piecesOf(manifest: Uint8Array): { config: Layer | undefined; layers: readonly Layer[] } {
  const json = jsonIn(manifest);
  return {
    config: layerOf(json['config']),
    layers: listIn(json['layers']).flatMap((one) => layerOf(one) ?? []),
  };
}

export interface IndexEntry {
  readonly digest: string;
  readonly mediaType: string;
  readonly platform?: string;
  /** Of what BuildKit attests: the image that it is about. */
  readonly attests?: string;
}

/** What the bytes of an index list. */
export function entriesOf(index: Uint8Array): readonly IndexEntry[] {
  return listIn(jsonIn(index)['manifests']).flatMap((entry) => {
    const piece = layerOf(entry);
    if (!piece) return [];
    const { digest, mediaType } = piece;
    const platform = platformText(objectIn(objectIn(entry)['platform']));
    const annotations = objectIn(objectIn(entry)['annotations']);
    const isAttestation = annotations['vnd.docker.reference.type'] === 'attestation-manifest';
    const attests = textIn(annotations['vnd.docker.reference.digest']) ?? '';
    return [{ digest, mediaType, ...(platform && { platform }), ...(isAttestation && { attests }) }];
  });
}

/** The annotations that the bytes of a manifest carry. */
export const annotationsOf = (manifest: Uint8Array) => textsIn(jsonIn(manifest)['annotations']);

function platformText({ os, architecture, variant }: Json): string | undefined {
  if (typeof os !== 'string' || os === '' || os === 'unknown') return undefined;
  return [os, architecture, variant]
    .filter((part) => typeof part === 'string' && part !== '')
    .join('/')
    .slice(0, 100);
}

function layerOf(entry: unknown): Layer | undefined {
  const { digest, size, mediaType } = objectIn(entry);
  if (typeof digest !== 'string' || typeof size !== 'number') return undefined;
  return { digest, size, mediaType: textIn(mediaType) ?? '' };
}

function configViewOf(json: Json): ConfigView {
  const config = objectIn(json['config']);
  const known = {
    variant: textIn(json['variant']),
    createdAt: timeIn(json['created']),
    entrypoint: textListIn(config['Entrypoint']),
    cmd: textListIn(config['Cmd']),
    user: textIn(config['User']),
    workdir: textIn(config['WorkingDir']),
    stopSignal: textIn(config['StopSignal']),
    healthcheck: textListIn(objectIn(config['Healthcheck'])['Test']),
  };
  return {
    os: textIn(json['os']) ?? '',
    architecture: textIn(json['architecture']) ?? '',
    env: textListIn(config['Env']) ?? [],
    ports: Object.keys(objectIn(config['ExposedPorts'])).slice(0, MAX_ENTRIES),
    volumes: Object.keys(objectIn(config['Volumes'])).slice(0, MAX_ENTRIES),
    labels: textsIn(config['Labels']),
    ...(Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined)) as object),
  };
}

interface Step {
  readonly line: string;
  readonly createdAt?: string;
  readonly isEmpty: boolean;
}

function historyIn(json: Json): readonly Step[] {
  return listIn(json['history']).map((entry) => {
    const { created_by: line, created, empty_layer: isEmpty } = objectIn(entry);
    const createdAt = timeIn(created);
    return { line: lineOf(textIn(line) ?? ''), isEmpty: isEmpty === true, ...(createdAt && { createdAt }) };
  });
}

/** As the Dockerfile has it, without what builders put around it. */
function lineOf(createdBy: string): string {
  return createdBy
    .replace(/^\/bin\/sh -c #\(nop\)\s+/, '')
    .replace(/^(?:RUN )?\/bin\/sh -c /, 'RUN ')
    .replace(/# buildkit$/, '') // and no blanks before it, which are trimmed: a search for them takes the square of many
    .trim();
}

/** Each line with a layer takes the next of them. */
function alignedTo(layers: readonly Layer[], history: readonly Step[]) {
  const full = history.filter(({ isEmpty }) => !isEmpty);
  const aligned = full.length === layers.length && layers.length > 0;
  const emptyLines: { at: number; line: string }[] = [];
  let at = 0;
  for (const { line, isEmpty } of history.slice(0, MAX_ENTRIES)) {
    if (!isEmpty) at += 1;
    else if (line !== '') emptyLines.push({ at: Math.min(at, layers.length), line });
  }
  const lined = layers.map((layer, index): Layer => {
    const { line, createdAt } = full[index] ?? { line: '' };
    return aligned ? { ...layer, ...(line !== '' && { line }), ...(createdAt && { createdAt }) } : layer;
  });
  return { layers: lined, emptyLines, aligned };
}

function jsonIn(bytes: Uint8Array): Json {
  try {
    return objectIn(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return {};
  }
}

const objectIn = (json: unknown): Json =>
  typeof json === 'object' && json !== null && !Array.isArray(json) ? (json as Json) : {};
const listIn = (json: unknown): readonly unknown[] => (Array.isArray(json) ? json : []);
const textIn = (json: unknown) =>
  typeof json === 'string' && json !== '' ? json.slice(0, MAX_TEXT) : undefined;
const textListIn = (json: unknown) =>
  Array.isArray(json)
    ? json
        .filter((one) => typeof one === 'string')
        .slice(0, MAX_ENTRIES)
        .map((one) => one.slice(0, MAX_TEXT))
    : undefined;

/** What programs in Go write where they have no time: the first moment of the year 1. */
const NO_TIME = Date.parse('0001-01-01T00:00:00Z');

/** ISO 8601, as far as it is a time at all. */
function timeIn(json: unknown): string | undefined {
  const time = typeof json === 'string' ? Date.parse(json) : Number.NaN;
  return Number.isNaN(time) || time === NO_TIME ? undefined : new Date(time).toISOString();
}

function textsIn(json: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries(objectIn(json)).slice(0, MAX_ENTRIES);
  return Object.fromEntries(
    entries.flatMap(([name, text]) => (typeof text === 'string' ? [[name, text.slice(0, MAX_TEXT)]] : [])),
  );
}
