import type { Registry } from '../registry/registry.ts';
import type { Grant } from './grants.ts';

/** What an ID token proves. */
export interface Workload {
  /** The name of its issuer, and that one's `stamp`. */
  readonly issuer: string;
  readonly stamp: string;
  /** The `sub` of the token. */
  readonly subject: string;
  readonly grants: readonly Grant[];
}

/** `why` names the one check that failed, for the client and for the audit trail; `cause`, for the log, what kept the token from
 *  being checked. */
export type WorkloadOutcome =
  | { readonly is: 'known'; readonly workload: Workload }
  | { readonly is: 'refused'; readonly why: string; readonly cause?: unknown };

/** Checks ID tokens against the issuers that the registry trusts. */
export interface WorkloadVerifier {
  verify(registry: Registry, idToken: string): Promise<WorkloadOutcome>;
}
