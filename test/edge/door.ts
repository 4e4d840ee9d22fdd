import { AccessTokens } from '../../functions/auth/access-token.ts';
import {
  activeKey,
  KEY_ACTIVATION_MS,
  type KeyRing,
  newSigningKey,
} from '../../functions/auth/signing-keys.ts';
import type { AccessEntry } from '../../functions/auth/token-claims.ts';
import { UploadTokens } from '../../functions/auth/upload-tokens.ts';
import { ORIGINS } from '../../functions/environment.ts';
import { NO_CREDENTIAL } from '../../functions/identity/identity.ts';
import type { PrincipalId } from '../../functions/identity/principal.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import type { ObjectKey } from '../../functions/storage/blob-store.ts';
import type { EdgeSettings } from '../../lib/edge-code.ts';
import type { EdgeRequest, EdgeResponse, EdgeValues } from '../aws/front/edge-event.ts';
import { type EdgeFunctions, loadEdgeFunctions, type RequestOutcome } from '../aws/front/runtime.ts';

export const MIB = 1024 * 1024;
export const HOST = 'registry.example.com';
export const SESSION = '0b1c7f5e-8a52-4f0b-9f0e-2f6a3c1d4e5f';
export const OBJECT = '3d6f0a1b-52c4-4d7e-8f90-a1b2c3d4e5f6';
export const HEX = 'c'.repeat(64);
export const DIGEST = `sha256:${HEX}`;
export const NAME = 'team/app';
export const ALICE = 'user:alice';
export const VIEWER = { ip: '203.0.113.7' };

/** Milliseconds since 1970. */
export const NOW = Date.UTC(2026, 10, 25, 12);

/** Two keys that verify; the older one signs for as long as the newer is not known everywhere. */
export const NEWER = newSigningKey(NOW - KEY_ACTIVATION_MS - 1);
export const OLDER = newSigningKey(NOW - 40 * 24 * 3600_000);
export const RING: KeyRing = [NEWER, OLDER];

interface DoorOptions {
  readonly ring?: KeyRing;
  readonly settings?: EdgeSettings;
  /** @default what rotate-keys would have put there */
  readonly kvs?: () => Promise<string | undefined>;
  readonly now?: number;
}

/** The front door's functions, as deployed, with the keys in their store. */
export function openDoor(options: DoorOptions = {}): Promise<EdgeFunctions> {
  const { ring = RING, settings = {}, now = NOW } = options;
  const keys = ring.map(({ id, secret }) => ({ id, secret: Buffer.from(secret).toString('base64url') }));
  const kvs = options.kvs ?? (async () => JSON.stringify({ keys }));
  return loadEdgeFunctions({ kvs, settings, origins: Object.values(ORIGINS), now: () => now });
}

const sourceOf = (ring: KeyRing) => ({ keys: async () => ring, reload: async () => ring });

interface BearerOptions {
  readonly ring?: KeyRing;
  readonly principal?: string;
  readonly actions?: readonly string[];
  readonly repository?: string;
  readonly now?: number;
}

/** An access token as the registry itself issues it. */
export async function bearer(options: BearerOptions = {}): Promise<string> {
  const {
    ring = RING,
    principal = ALICE,
    actions = ['pull', 'push'],
    repository = NAME,
    now = NOW,
  } = options;
  const tokens = new AccessTokens({
    keys: sourceOf(ring),
    service: 'stowage',
    now: () => now,
    newId: () => SESSION,
  });
  const access: AccessEntry[] = [{ type: 'repository', name: repository, actions }];
  const { text } = await tokens.issue({
    principal: principal as PrincipalId,
    credential: NO_CREDENTIAL,
    access,
  });
  return `Bearer ${text}`;
}

interface GrantOptions {
  readonly ring?: KeyRing;
  readonly repository?: string;
  readonly session?: string;
  readonly object?: string;
  readonly principal?: string;
  readonly direct?: { readonly most: number; readonly until: number };
  readonly now?: number;
}

/** An upload token as the registry itself issues it. */
export function uploadToken(options: GrantOptions = {}): Promise<string> {
  const { ring = RING, repository = NAME, session = SESSION, object = OBJECT, principal = ALICE } = options;
  const tokens = new UploadTokens({ keys: sourceOf(ring), now: () => options.now ?? NOW });
  const objectKey = `blobs/${object}` as ObjectKey;
  const { direct } = options;
  return tokens.issue({
    repository: repository as RepositoryName,
    session,
    objectKey,
    principal,
    ...(direct && { direct }),
  });
}

export const signer = (ring: KeyRing) => activeKey(ring, NOW).id;

/** A request as CloudFront shows it: the query's names and values as they were sent. */
export function requestOf(
  method: string,
  target: string,
  headers: Record<string, string | number> = {},
): EdgeRequest {
  const [uri = '', query = ''] = target.split('?');
  const querystring: EdgeValues = {};
  for (const pair of query.split('&').filter(Boolean)) {
    const [name = '', value = ''] = pair.split('=');
    const before = querystring[name];
    querystring[name] = before
      ? { value: before.value, multiValue: [...(before.multiValue ?? [{ value: before.value }]), { value }] }
      : { value };
  }
  const sent = Object.entries({ host: HOST, ...headers }).map(([name, value]) => [
    name,
    { value: `${value}` },
  ]);
  return { method, uri, querystring, headers: Object.fromEntries(sent), cookies: {} };
}

/** A whole blob in one PUT, as containerd and its like send it. */
export async function blobPut(options: {
  readonly size: number;
  readonly token?: string;
  readonly query?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
}): Promise<EdgeRequest> {
  const token = options.token ?? (await uploadToken());
  const query = options.query ?? `token=${token}&digest=${encodeURIComponent(DIGEST)}`;
  const path = options.path ?? `/v2/${NAME}/blobs/uploads/${SESSION}`;
  const headers = { authorization: await bearer(), 'content-length': options.size, ...options.headers };
  return requestOf('PUT', `${path}?${query}`, headers);
}

/** What a client, or the next server, gets to see of an outcome. */
export function told(outcome: RequestOutcome): string {
  if (outcome.is === 'request') return `→ ${outcome.origin}`;
  return `${outcome.response.statusCode} ${errorOf(outcome.response).code}`;
}

export function errorOf(response: EdgeResponse): { code: string; message: string } {
  const { errors } = JSON.parse(response.body?.data ?? '') as { errors: [{ code: string; message: string }] };
  return errors[0];
}

export function responseOf(outcome: RequestOutcome): EdgeResponse {
  if (outcome.is !== 'response') throw new Error(`went on to ${outcome.origin}`);
  return outcome.response;
}

export function passedOn(outcome: RequestOutcome): EdgeRequest {
  if (outcome.is !== 'request') throw new Error(`answered ${outcome.response.statusCode}`);
  return outcome.request;
}
