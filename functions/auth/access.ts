import type { RepositoryName } from '../oci/reference.ts';

export type Action = 'pull' | 'push' | 'delete';

/** What the caller of a request may do. */
export interface Access {
  may(action: Action, repository: RepositoryName): boolean;
}

/** The caller of a registry without users, which listens on loopback only. */
export const everything: Access = { may: () => true };
