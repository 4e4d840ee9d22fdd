import { manifestInvalid } from './errors.ts';

// What every client can read: docker, containerd, podman, crane, oras and helm decode manifests with Go's encoding/json into
// the types of the image specification, which is stricter than JSON in some things and folds the case of keys. What they
// cannot decode nobody can pull, so it is refused when it is pushed.
// https://github.com/opencontainers/image-spec/tree/v1.1.1/specs-go/v1 and https://pkg.go.dev/encoding/json#Unmarshal

type Json = Readonly<Record<string, unknown>>;
/** Throws where the value, which is not null, is none of the type. */
type Type = (value: unknown, where: string) => void;

const text: Type = (value, where) => {
  if (typeof value !== 'string') throw manifestInvalid(`${where} is not a string`);
};

/** As `parseJson` leaves what is no whole number in its text, such as 1e2 and 2.0. */
const wholeNumber: Type = (value, where) => {
  if (typeof value !== 'number' || Number.isNaN(value))
    throw manifestInvalid(`${where} is not a whole number`);
};

const base64: Type = (value, where) => {
  text(value, where);
  const bare = (value as string).replaceAll(/[\r\n]/g, '');
  if (bare.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(bare))
    throw manifestInvalid(`${where} is not base64`);
};

const listOf =
  (type: Type): Type =>
  (value, where) => {
    if (!Array.isArray(value)) throw manifestInvalid(`${where} is not an array`);
    for (const [index, entry] of value.entries()) unlessNull(type, entry, `${where}[${index}]`);
  };

const texts: Type = (value, where) => {
  for (const [key, entry] of Object.entries(objectOf(value, where)))
    unlessNull(text, entry, `${where}[${quote(key)}]`);
};

function structOf(fields: Readonly<Record<string, Type>>): Type {
  const types = new Map(Object.entries(fields));
  const folds = new Set([...types.keys()].map(folded));
  return (value, where) => {
    for (const [key, entry] of Object.entries(objectOf(value, where))) {
      const place = where === '' ? key : `${where}.${key}`;
      const type = types.get(key);
      if (!type && folds.has(folded(key)))
        throw manifestInvalid(`${quote(place)} differs from a field of manifests only in its case`);
      if (type) unlessNull(type, entry, place);
    }
  };
}

const PLATFORM = {
  architecture: text,
  os: text,
  'os.version': text,
  'os.features': listOf(text),
  variant: text,
};

const DESCRIPTOR = {
  mediaType: text,
  digest: text,
  size: wholeNumber,
  urls: listOf(text),
  annotations: texts,
  data: base64,
  platform: structOf(PLATFORM),
  artifactType: text,
};

const MANIFEST = {
  schemaVersion: wholeNumber,
  mediaType: text,
  artifactType: text,
  config: structOf(DESCRIPTOR),
  layers: listOf(structOf(DESCRIPTOR)),
  manifests: listOf(structOf(DESCRIPTOR)),
  subject: structOf(DESCRIPTOR),
  annotations: texts,
};

const manifest = structOf(MANIFEST);

/** Throws MANIFEST_INVALID, with the place, where a client could not decode the manifest, or would read another one in it. */
export function requireReadable(json: Json): void {
  manifest(json, '');
}

/** The value of a JSON text in UTF-8, in which what is written otherwise than as a whole number is `NaN`. Throws
 *  MANIFEST_INVALID for all else, for a byte order mark, and for an object that has a key twice: who reads it would have to
 *  choose. */
export function parseJson(bytes: Uint8Array): unknown {
  let value: unknown;
  let members = -1; // the whole is handed over as one, too
  try {
    const source = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(source, function (this: unknown, _: string, found: unknown, context?: Context) {
      if (!Array.isArray(this)) members += 1;
      const isNumber = typeof found === 'number';
      return isNumber && !/^-?\d+$/.test(context?.source ?? '') ? Number.NaN : found;
    });
  } catch {
    throw manifestInvalid('the body is not JSON in UTF-8');
  }
  if (members !== membersIn(bytes)) throw manifestInvalid('an object has a key twice');
  return value;
}

interface Context {
  readonly source?: string;
}

const [QUOTE, BACKSLASH, COLON] = [0x22, 0x5c, 0x3a];

/** How many keys are written in a text that is JSON. */
function membersIn(json: Uint8Array): number {
  let [members, isQuoted] = [0, false];
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at];
    if (byte === QUOTE) isQuoted = !isQuoted;
    else if (isQuoted) at += Number(byte === BACKSLASH);
    else if (byte === COLON) members += 1;
  }
  return members;
}

/** Go takes null for "nothing here". */
function unlessNull(type: Type, value: unknown, where: string): void {
  if (value !== null) type(value, where);
}

function objectOf(value: unknown, where: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw manifestInvalid(`${where || 'the body'} is not an object`);
  return value as Json;
}

/** As Go compares names of fields: of letters that are no ASCII, the long s and the Kelvin sign fold to s and k. */
function folded(key: string): string {
  return key.toUpperCase().toLowerCase();
}

const quote = (name: string) => JSON.stringify(name.slice(0, 120));
