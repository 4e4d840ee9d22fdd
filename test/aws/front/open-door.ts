import { everybody } from '../../../functions/auth/access.ts';
import { AccessTokens } from '../../../functions/auth/access-token.ts';
import { decodeKeyRing, type KeyRing } from '../../../functions/auth/signing-keys.ts';
import { NO_CREDENTIAL } from '../../../functions/identity/identity.ts';
import type { EdgeFunctions } from './runtime.ts';

/** The functions of a front door before a registry without users. On AWS there is none, so the files that are deployed ask for a token:
 *  here each request has one, for the repository of its path. `keys` is what access tokens are signed with, as text. */
export function openDoor(edge: EdgeFunctions, keys: () => string | undefined): EdgeFunctions {
  const ring = async (): Promise<KeyRing> => decodeKeyRing(keys() ?? '');
  const tokens = new AccessTokens({
    keys: { keys: ring, reload: ring },
    service: 'stowage',
    now: Date.now,
    newId: () => crypto.randomUUID(),
  });
  return {
    ...edge,
    async viewerRequest(request, viewer) {
      const [, name] =
        /^\/v2\/(.+)\/(?:blobs|manifests|tags|referrers)\//.exec(decodedPath(request.uri)) ?? [];
      const actions = ['pull', 'push', 'delete'] as const;
      const { text } = await tokens.issue({
        principal: everybody.principal,
        credential: NO_CREDENTIAL,
        access: name === undefined ? [] : [{ type: 'repository', name, actions: [...actions] }],
      });
      const headers = { ...request.headers, authorization: { value: `Bearer ${text}` } };
      return edge.viewerRequest({ ...request, headers }, viewer);
    },
  };
}

function decodedPath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
