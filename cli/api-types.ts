// What the management API answers, as `/api/v1/openapi.json` describes it.

export interface Grant {
  readonly pattern: string;
  readonly actions: readonly string[];
}

export interface User {
  readonly name: string;
  readonly description: string;
  readonly disabled: boolean;
  readonly groups: readonly string[];
  readonly grants: readonly Grant[];
  readonly createdAt: string;
  readonly createdBy: string;
}

export interface Token {
  readonly id: string;
  readonly description: string;
  readonly grants?: readonly Grant[];
  readonly createdAt: string;
  readonly validUntil?: string;
  readonly lastUsedAt?: string;
}

export interface Robot {
  readonly name: string;
  readonly login: string;
  readonly description: string;
  readonly disabled: boolean;
  readonly grants: readonly Grant[];
  readonly createdAt: string;
  readonly createdBy: string;
  readonly validUntil?: string;
  readonly formerValidUntil?: string;
  readonly lastUsedAt?: string;
}

export interface Group {
  readonly name: string;
  readonly description: string;
  readonly grants: readonly Grant[];
  readonly createdAt: string;
  readonly createdBy: string;
  readonly members?: readonly string[];
}

export interface SubjectGrant extends Grant {
  readonly subject: string;
}

export interface ClaimRule {
  readonly claims: Readonly<Record<string, string>>;
  readonly grants: readonly Grant[];
}

export interface Issuer {
  readonly name: string;
  readonly issuer: string;
  readonly audience: string;
  readonly rules: readonly ClaimRule[];
}

export interface QuotaLimits {
  readonly bytes?: number;
  readonly tags?: number;
}

export interface RetentionHold {
  readonly digest: string;
  readonly reason: string;
  readonly by?: string;
  readonly at: string;
  readonly until?: string;
  readonly inForce: boolean;
}

interface RetentionWhere {
  readonly labels?: Readonly<Record<string, readonly string[]>>;
  readonly annotations?: Readonly<Record<string, readonly string[]>>;
  readonly artifactTypes?: readonly string[];
  readonly mediaTypes?: readonly string[];
}

export interface UntaggedRule {
  readonly where?: RetentionWhere;
  readonly among?: { readonly tags?: readonly string[]; readonly untagged?: boolean };
  readonly keepLast?: number;
  readonly keepLastPulled?: number;
  readonly keepNewerThanDays?: number;
  readonly keepCreatedWithinDays?: number;
  readonly keepNone?: true;
}

export interface TagRule extends UntaggedRule {
  readonly match: readonly string[];
  readonly except?: readonly string[];
  readonly by?: 'tag' | 'image';
  readonly with?: readonly string[];
  readonly per?: string;
  readonly keepHighest?: number;
  readonly keepPulledWithinDays?: number;
}

export interface Policy {
  readonly name: string;
  /** Set by admins of less than the registry. */
  readonly isTeams?: boolean;
  readonly repositories: readonly string[];
  readonly exceptRepositories?: readonly string[];
  readonly retention?: {
    readonly pins?: readonly string[];
    readonly tags?: readonly TagRule[];
    readonly untagged?: readonly UntaggedRule[];
    readonly untaggedAfterDays?: number;
    readonly ignorePullsBy?: readonly string[];
    readonly run?: { readonly maxDeletions?: number; readonly hours?: readonly [number, number] };
  };
  readonly immutable?: { readonly tags: readonly string[]; readonly except?: readonly string[] };
  readonly quota?: { readonly each?: QuotaLimits; readonly together?: QuotaLimits };
  readonly downloads?: { readonly anonymous?: number; readonly principal?: number; readonly all?: number };
  readonly sparseIndexes?: true;
}

export interface Repository {
  readonly name: string;
  readonly visibility: string;
  readonly createdAt?: string;
}

export interface Tag {
  readonly name: string;
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
  readonly taggedAt: string;
  readonly by?: string;
  readonly imageBytes?: number;
  readonly platforms?: readonly string[];
  readonly lastPulledAt?: string;
}

/** One that was asked for by itself. */
export interface ShownTag extends Tag {
  readonly referrers: readonly {
    readonly digest: string;
    readonly artifactType?: string;
    readonly size: number;
  }[];
  readonly moreReferrers: boolean;
  readonly history: readonly TagMove[];
}

export interface TagMove {
  readonly digest?: string;
  readonly at: string;
  readonly by?: string;
}

export interface Restored {
  readonly kind: string;
  readonly tag?: string;
  readonly digest?: string;
  readonly outcome: string;
  readonly reason: string;
}

export interface Restoration {
  readonly entries: readonly Restored[];
  readonly remaining: boolean;
  readonly next?: string;
}

export interface TrashEntry {
  readonly kind: string;
  readonly tag?: string;
  readonly digest: string;
  readonly deletedAt: string;
  readonly deletedBy?: string;
  readonly reason?: string;
  /** Absent of a tag whose manifest is there. */
  readonly until?: string;
}

export interface Purged {
  readonly repository: string;
  readonly kind: string;
  readonly digest: string;
  readonly size: number;
  readonly tags: readonly string[];
  readonly outcome: string;
  readonly reason: string;
}

export interface PurgeResult {
  readonly entries: readonly Purged[];
  readonly remaining: boolean;
  readonly next?: string;
  /** Of the whole registry only. */
  readonly objects?: readonly string[];
}

export interface AuditRecord {
  readonly time: string;
  readonly principal: string;
  readonly operation: string;
  readonly outcome: string;
  readonly status: number;
  readonly repository?: string;
  readonly target?: string;
  readonly address: string;
  readonly count?: number;
}

export interface Me {
  readonly principal: string;
  readonly admin: boolean;
  readonly user?: User;
}

export interface Finding {
  readonly action: string;
  readonly kind: string;
  readonly tag?: string;
  readonly digest: string;
  readonly size?: number;
  readonly policy?: string;
  readonly rule?: number;
  readonly rank?: number;
  readonly of?: number;
  readonly ageDays?: number;
  readonly lastPulledAt?: string;
  readonly reason: string;
}

export interface PreviewCounts {
  readonly repositories: number;
  readonly tags: number;
  readonly manifests: number;
  readonly bytes: number;
  readonly kept: number;
}

export interface RetentionPage {
  readonly findings: readonly Finding[];
  readonly counts: PreviewCounts;
  readonly next?: string;
}

export interface PreviewPage extends RetentionPage {
  readonly findings: readonly (Finding & { readonly repository: string })[];
  readonly at?: string;
}

export interface QuotaUse {
  readonly policy: string;
  readonly scope: string;
  readonly kind: string;
  readonly limit: number;
  /** Absent where nothing was counted yet. */
  readonly used?: number;
  readonly percent?: number;
  readonly countedAt?: string;
}

/** Where a changed policy waits to be confirmed. */
export interface Waiting {
  readonly policy: string;
  readonly repository: string;
  readonly since: string;
  readonly until: string;
  readonly tags: number;
  readonly ofTags: number;
  readonly images: number;
  readonly ofImages: number;
}

export interface SweepResult {
  readonly remaining: boolean;
  readonly findings: readonly Finding[];
  readonly deleted: Readonly<Record<string, number>>;
  /** Absent before there were any. */
  readonly notes?: readonly string[];
  readonly bytes: number;
}

export interface Amount {
  readonly tags: number;
  readonly manifests: number;
  readonly blobs: number;
  readonly bytes: number;
  readonly metadataBytes: number;
  /** To admins of the registry only. */
  readonly elsewhereBytes?: number;
  readonly apportionedBytes?: number;
}

export interface TagsAmount extends Amount {
  readonly ownBytes: number;
  readonly blobsPerImage: number;
}

export interface Usage {
  readonly complete: boolean;
  readonly tagged?: TagsAmount;
  readonly repository?: Amount;
  /** Of uploads under way, where quotas count them. */
  readonly uploadBytes?: number;
  readonly referrers?: number;
  readonly lastPushAt?: string;
  readonly lastPulledAt?: string;
  readonly activity?: {
    readonly since: string;
    readonly pushes: number;
    readonly pullLogins: number;
    readonly pulledTags: number;
  };
}

interface TrafficAmount {
  readonly downloads: number;
  readonly bytes: number;
}

/** What was downloaded in a month. */
export interface Traffic {
  readonly month: string;
  readonly repositories: readonly (TrafficAmount & { readonly repository: string })[];
  readonly principals: readonly (TrafficAmount & { readonly principal: string })[];
  readonly limits: readonly {
    readonly policy: string;
    readonly of: string;
    readonly limit: number;
    readonly used: number;
    readonly percent: number;
  }[];
}
