import type { RepositoryName } from '../oci/reference.ts';
import type { Registry } from '../registry/registry.ts';
import { retentionActor } from '../registry/retention-policy.ts';
import type { Operation } from '../storage/table.ts';
import { auditOperation, type Deletion, newAuditKey } from './audit.ts';

/** What retention has decided of a tag or a manifest. */
interface Decided extends Omit<Deletion, 'kind'> {
  readonly kind: string;
  readonly policy?: string;
}

/** The operation that notes in the trail what retention deletes; it belongs into the transaction that does. */
export function recordDeletion(registry: Registry, repository: RepositoryName, decided: Decided): Operation {
  const { kind, tag, digest, size, policy, rule, rank, of, ageMs, lastPulledAt, reason } = decided;
  const record = {
    time: registry.now(),
    principal: retentionActor(policy),
    operation: 'retention.delete',
    outcome: 'allowed',
    status: 204,
    repository,
    target: tag === undefined ? `${kind} ${digest}` : `${kind} ${tag} of ${digest}`,
    deletion: defined({
      kind: kind as Deletion['kind'],
      tag,
      digest,
      size,
      rule,
      rank,
      of,
      ageMs,
      lastPulledAt,
      reason,
    }),
    address: '',
    userAgent: '',
  } as const;
  return auditOperation(newAuditKey(registry, record), record);
}

function defined(deletion: { readonly [K in keyof Deletion]: Deletion[K] | undefined }): Deletion {
  const entries = Object.entries(deletion).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as unknown as Deletion;
}
