import { type Content, config, type Descriptor, emptyJson, layer, type ManifestContent } from './content.ts';

/** The only codes an answer may carry (code-1 to code-14).
 *  https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes */
export const ERROR_CODES = [
  'BLOB_UNKNOWN',
  'BLOB_UPLOAD_INVALID',
  'BLOB_UPLOAD_UNKNOWN',
  'DIGEST_INVALID',
  'MANIFEST_BLOB_UNKNOWN',
  'MANIFEST_INVALID',
  'MANIFEST_UNKNOWN',
  'NAME_INVALID',
  'NAME_UNKNOWN',
  'SIZE_INVALID',
  'UNAUTHORIZED',
  'DENIED',
  'UNSUPPORTED',
  'TOOMANYREQUESTS',
] as const;

type ErrorCode = (typeof ERROR_CODES)[number];

/** A string is the exact value (of a Location: after resolving it), `undefined` means the header is absent. */
type HeaderExpectation = string | RegExp | undefined;

export interface Expectation {
  readonly status: number;
  readonly headers?: Readonly<Record<string, HeaderExpectation>>;
  /** The exact body. */
  readonly body?: Content | '';
  /** The exact body of a multipart answer, with BOUNDARY for its boundary. */
  readonly parts?: Content;
  readonly json?: unknown;
  /** The code of every error in the body. */
  readonly code?: ErrorCode;
  /** A text that the first error's message contains. */
  readonly message?: string;
  /** The details of the errors, in any order. */
  readonly details?: readonly unknown[];
  /** The descriptors of an index of referrers, in any order. */
  readonly referrers?: readonly Descriptor[];
}

/** One request and what must come back. In `send`, in expected headers and in `json` these stand for:
 *
 *  `{repo}` `{other}`  two repository names of this row alone
 *  `{upload}`          the Location of the last 202, 204 or 416 answer, `?` and `&` put right behind it
 *  `{session}`         the id of that upload
 *  `{elsewhere}`       the same upload under `{other}`'s path
 *  `{next}`            the URL of the last `Link` header with rel="next" */
export interface Call {
  readonly send: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Content | string;
  /** Sends the body without a Content-Length, as `Transfer-Encoding: chunked` does. */
  readonly streamed?: true;
  readonly expect: Expectation;
}

export type Step = Call | readonly Step[];

export interface Row {
  readonly title: string;
  readonly steps: readonly Step[];
}

/** Rows about one endpoint or one concern of it. */
export interface Group {
  readonly about: string;
  readonly rows: readonly Row[];
}

export const startUpload = (repository = '{repo}'): Call => ({
  send: `POST /v2/${repository}/blobs/uploads/`,
  expect: { status: 202 },
});

export const patch = (body: string, range?: string): Call => ({
  send: 'PATCH {upload}',
  ...(range === undefined ? {} : { headers: { 'Content-Range': range } }),
  body,
  expect: { status: 202 },
});

export const pushBlob = (content: Content, repository = '{repo}'): Step => [
  startUpload(repository),
  { send: `PUT {upload}?digest=${content.digest}`, body: content, expect: { status: 201 } },
];

export const blobIsReadable = (content: Content, repository = '{repo}'): Call => ({
  send: `GET /v2/${repository}/blobs/${content.digest}`,
  expect: { status: 200, body: content },
});

export const blobIsUnknown = (content: Content, repository = '{repo}'): Call => ({
  send: `GET /v2/${repository}/blobs/${content.digest}`,
  expect: { status: 404, code: 'BLOB_UNKNOWN' },
});

/** Pushes `manifest` under a tag, or under its digest where no tag is named. */
export const pushManifest = (manifest: ManifestContent, tag?: string, repository = '{repo}'): Call => ({
  send: `PUT /v2/${repository}/manifests/${tag ?? manifest.digest}`,
  headers: { 'Content-Type': manifest.mediaType },
  body: manifest,
  expect: { status: 201 },
});

/** Pushes `manifest`, which the registry must refuse. */
export const refusedManifest = (manifest: ManifestContent, expect: Expectation, reference = 'v1'): Call => ({
  ...pushManifest(manifest, reference),
  expect,
});

export const manifestIsReadable = (manifest: ManifestContent, reference = manifest.digest): Call => ({
  send: `GET /v2/{repo}/manifests/${reference}`,
  expect: { status: 200, body: manifest },
});

export const manifestIsUnknown = (reference: string): Call => ({
  send: `GET /v2/{repo}/manifests/${reference}`,
  expect: { status: 404, code: 'MANIFEST_UNKNOWN' },
});

/** The blobs that `image()` and `artifact()` refer to. */
export const pushImageBlobs: Step = [pushBlob(config), pushBlob(layer)];
export const pushArtifactBlobs: Step = pushBlob(emptyJson);
