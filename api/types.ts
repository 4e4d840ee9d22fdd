// What the management API answers, as `/api/v1/openapi.json` describes it; for the command line and the page.

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

export type RepositoryAction = 'pull' | 'push' | 'delete' | 'admin';

export interface Repository {
  readonly name: string;
  readonly visibility: string;
  /** Not in lists. */
  readonly createdAt?: string;
  /** What the caller may do there. */
  readonly may: readonly RepositoryAction[];
}

/** `GET …/-/tag-names`: in byte order. */
export interface TagNames {
  readonly names: readonly string[];
  readonly next?: string;
}

export type ManifestKind = 'image' | 'index' | 'artifact';

/** A tag as `POST …/-/tags/query` shows it. */
export interface TagRow {
  readonly name: string;
  readonly digest: string;
  readonly kind: ManifestKind;
  readonly mediaType: string;
  readonly artifactType?: string;
  /** Of its config and layers; of an index, of all its images, each blob once. */
  readonly imageBytes?: number;
  /** `linux/arm64/v8`; of an index. */
  readonly platforms?: readonly string[];
  readonly taggedAt: string;
  readonly by?: string;
  /** To the day, by the tag or by the digest that it is on. */
  readonly pulledAt?: string;
  /** Why it cannot be pulled yet. */
  readonly held?: string;
  /** Policies that keep it where it is, and that keep it from retention. */
  readonly immutableBy?: string;
  readonly pinnedBy?: string;
  readonly signed?: 'verified' | 'present' | 'refused';
}

/** `POST …/-/tags/query` `{names}`. */
export interface TagRows {
  readonly tags: readonly TagRow[];
  /** Names that are no tags any more. */
  readonly missing: readonly string[];
}

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
  /** Above 1 MiB, and not read: nothing else of it is told. */
  readonly tooLarge?: true;
}

export interface Layer {
  readonly digest: string;
  readonly size: number;
  readonly mediaType: string;
  /** The line of the Dockerfile that made it, as its history says. */
  readonly line?: string;
  readonly createdAt?: string;
  /** How many repositories hold it; for admins of the registry only. */
  readonly repositories?: number;
}

export interface ImageContent {
  readonly config: ConfigView;
  readonly layers: readonly Layer[];
  /** Lines without a layer; `at` is how many layers stand before it. */
  readonly emptyLines: readonly { readonly at: number; readonly line: string }[];
  /** Whether the history has as many lines with a layer as there are layers; where not, no layer has a line. */
  readonly aligned: boolean;
}

export interface ImageChild {
  readonly digest: string;
  readonly platform?: string;
  readonly kind: 'image' | 'attestation' | 'other';
  /** Of an attestation: the image that it is about. */
  readonly of?: string;
  readonly imageBytes: number;
}

/** `GET …/-/images/<tag or digest>?platform=`; records no pull. */
export interface ImageView {
  readonly digest: string;
  readonly tag?: string;
  readonly kind: ManifestKind;
  readonly mediaType: string;
  readonly artifactType?: string;
  /** Bytes of the manifest. */
  readonly size: number;
  readonly imageBytes?: number;
  readonly pushedAt: string;
  readonly by?: string;
  readonly subject?: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** Of an index. */
  readonly children?: readonly ImageChild[];
  /** Of an image; of an index, of its image for `platform`, where that is asked for. */
  readonly image?: ImageContent;
  /** Other tags on it, 50 at most; `more` says that there are others. */
  readonly tags: readonly string[];
  readonly more: boolean;
}

/** `GET …/-/manifests?untagged=true&n&last`. */
export interface ManifestPage {
  readonly manifests: readonly ManifestRow[];
  readonly next?: string;
}

export interface ManifestRow {
  readonly digest: string;
  readonly kind: ManifestKind;
  readonly mediaType: string;
  readonly artifactType?: string;
  /** Bytes of the manifest. */
  readonly size: number;
  readonly imageBytes?: number;
  readonly pushedAt: string;
  readonly by?: string;
  readonly pulledAt?: string;
  readonly subject?: string;
  /** Manifests that list it, five at most. */
  readonly usedBy: readonly string[];
}

/** `GET …/-/manifests/<digest>/tags`. */
export interface TagsOn {
  readonly tags: readonly string[];
  readonly more: boolean;
}

export type ReferrerKind = 'signature' | 'attestation' | 'sbom' | 'provenance' | 'scan' | 'vex' | 'other';

/** `GET …/-/manifests/<digest>/referrers?last`. */
export interface ReferrerPage {
  readonly referrers: readonly ReferrerView[];
  readonly next?: string;
}

export interface ReferrerView {
  readonly digest: string;
  readonly kind: ReferrerKind;
  readonly mediaType: string;
  readonly artifactType?: string;
  /** Bytes of the manifest. */
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
}

/** `POST …/-/tags/delete` `{tags, dryRun}`. */
export interface TagDeletions {
  readonly tags: readonly TagDeletion[];
}

export interface TagDeletion {
  readonly name: string;
  /** In a dry run, what it would be. */
  readonly outcome: 'deleted' | 'refused' | 'missing';
  readonly digest?: string;
  readonly imageBytes?: number;
  /** Other tags on the same manifest that stay, five at most. */
  readonly alsoOn?: readonly string[];
  /** The policy that refuses it. */
  readonly policy?: string;
  /** For people. */
  readonly reason?: string;
}

/** `PUT …/-/tags/<tag>` `{digest, ifDigest?}`. */
export interface TagPlaced {
  readonly name: string;
  readonly digest: string;
  /** Where it was before. */
  readonly before?: string;
}

/** `GET /search?q`. */
export interface SearchResult {
  readonly repositories: readonly string[];
  readonly tags: readonly { readonly repository: string; readonly tag: string; readonly digest: string }[];
  readonly manifests: readonly { readonly repository: string; readonly digest: string }[];
  /** Whether there is more than what is told: a longer text finds it. */
  readonly more: boolean;
}

/** What the API refuses with. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** What is wrong, for people, in English. */
  readonly detail: string;
  /** The same for programs, where a text of another language is to be made of it. */
  readonly code: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
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
  /** The registry has no users: everybody may do everything. */
  readonly open?: true;
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

/** `GET /me/sessions`: the browsers in which the caller is logged in. */
export interface Sessions {
  readonly sessions: readonly {
    readonly id: string;
    readonly createdAt: string;
    readonly seenAt: string;
    readonly endsAt: string;
    readonly address: string;
    readonly agent: string;
    readonly current: boolean;
  }[];
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
