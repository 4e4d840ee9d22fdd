import type { Caller } from '../auth/access.ts';
import type { Authentication } from '../auth/authentication.ts';
import type { UploadTokens } from '../auth/upload-tokens.ts';
import type { Readings } from '../http/body.ts';
import { single } from '../http/query.ts';
import type { Params } from '../http/router.ts';
import type { PrincipalId } from '../identity/principal.ts';
import { type Digest, parseDigest } from '../oci/digest.ts';
import { digestMalformed, manifestUnknown, nameInvalid, referenceInvalid } from '../oci/errors.ts';
import {
  parseReference,
  parseRepositoryName,
  parseTag,
  type Reference,
  type RepositoryName,
  type Tag,
} from '../oci/reference.ts';
import type { Registry } from '../registry/registry.ts';
import type { Room } from '../registry/room.ts';
import type { StreamGate } from '../stream/gate.ts';
import type { Lease } from '../upkeep/lease.ts';

/** A request that has found its endpoint. */
export interface Call {
  readonly request: Request;
  readonly params: Params;
  readonly query: URLSearchParams;
  readonly registry: Registry;
  readonly caller: Caller;
  /** Absent where the registry has no users. */
  readonly authentication?: Authentication | undefined;
  /** Absent where every upload goes through the registry. */
  readonly uploads?: UploadTokens | undefined;
  /** Absent where there is room without end. */
  readonly room?: Room | undefined;
  /** Absent where there is no stream host that sleeps. */
  readonly stream?: StreamGate | undefined;
  /** How long sweeps leave things alone. */
  readonly lease: Lease;
  /** What the client calls the registry: a host, and where it said one its port; empty where it said nothing of the kind. */
  readonly host: string;
  /** Where clients reach the registry: `https://registry.example.com`. */
  readonly origin: string;
  /** Of the host. @default without bounds */
  readonly readings?: Readings | undefined;
  /** The network address that the request comes from. */
  readonly address: string;
  /** Says in the audit trail what the request is about, where its path does not tell. */
  readonly about: (target: string) => void;
  /** Says in the log who has logged in with the request. */
  readonly loggedIn: (principal: PrincipalId) => void;
}

export type Handler = (call: Call) => Promise<Response> | Response;

/** What a path names, parsed; each refuses what breaks the grammar with the code of the specification. */
export function repositoryOf({ params }: Pick<Call, 'params'>): RepositoryName {
  const name = params['name'] ?? '';
  return parseRepositoryName(name) ?? refuse(nameInvalid(name));
}

export function digestOf({ params }: Call): Digest {
  return requireDigest(params['digest'] ?? '');
}

export function referenceOf({ params }: Pick<Call, 'params'>): Reference {
  const text = params['reference'] ?? '';
  return parseReference(text) ?? refuse(referenceInvalid(text));
}

/** MANIFEST_UNKNOWN where it can be the name of no tag. */
export function tagOf({ params }: Pick<Call, 'params'>): Tag {
  const text = params['tag'] ?? '';
  return parseTag(text) ?? refuse(manifestUnknown(params['name'] ?? '', text.slice(0, 200)));
}

function requireDigest(text: string): Digest {
  return parseDigest(text) ?? refuse(digestMalformed(text));
}

/** The digest in a query parameter, `undefined` where it is missing. */
export function digestParameter({ query }: Call, name: string): Digest | undefined {
  const text = single(query, name, () => digestMalformed(query.getAll(name).join(', ')));
  return text === undefined ? undefined : requireDigest(text);
}

function refuse(error: Error): never {
  throw error;
}
