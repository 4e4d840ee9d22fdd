/** Ours, as large as the specification asks registries to support; fits Lambda's answer in base64. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** Ours: a manifest up to this size lies in its item and in its tags' items, so that a pull by tag is one
 *  read; above it the bytes are an object. Keeps 20 tags and a manifest far from DynamoDB's 4 MB a transaction. */
export const MAX_INLINE_MANIFEST_BYTES = 16 * 1024;

/** Ours: annotations up to this size are kept in the referrer's item; above it they are read from the manifest. */
export const MAX_INLINE_ANNOTATION_BYTES = 16 * 1024;

/** Four items a tag, and ten others, in DynamoDB's 100 operations a transaction; the specification asks for 10. */
export const MAX_TAGS_PER_PUT = 20;

/** Ours: entries in one answer of tags/list and _catalog; 10,000 names of 128 bytes stay below Lambda's 6 MB. */
export const MAX_LIST_ENTRIES = 10_000;

/** Ours: bytes of descriptors in one answer of the referrers API. One may be as large as a manifest, and then is alone in it. */
export const MAX_REFERRERS_BYTES = 1024 * 1024;

/** Ours: bytes of an upload that a host may read once more to hash them by another algorithm than the upload was begun for. */
export const MAX_REHASHED_BYTES = 512 * 1024 * 1024;

/** Ours: how much of a layer that came in parts one request reads to find its digest: seconds from S3, well inside Lambda's 30 s. */
export const READ_AT_ONCE_BYTES = 128 * 1024 * 1024;

/** Ours: what one request may carry through API Gateway and Lambda; in base64 that is 5.3 MiB of Lambda's 6 MB. */
export const MAX_INLINE_BYTES = 4 * 1024 * 1024;

/** S3's: the largest object that one PUT makes. */
export const MAX_DIRECT_BYTES = 5 * 1024 * 1024 * 1024;

/** CloudFront's: what one value of a KeyValueStore may be. */
export const MAX_FRONT_VALUE_BYTES = 1024;

/** Ours: an upload that goes past the registry begins at most this long after its POST. */
export const UPLOAD_TOKEN_SECONDS = 60 * 60;

/** Ours, as in the CNCF registry: an upload that was not finished after a week is given up. */
export const UPLOAD_EXPIRY_SECONDS = 7 * 24 * 60 * 60;

/** Ours: uploads that one caller may have open at once. 200 clients of one robot with 20 layers each are 4,000. */
export const MAX_OPEN_UPLOADS = 10_000;

/** Ours: how long a finished upload still answers a repeated PUT as if it were the first. */
export const FINISHED_UPLOAD_SECONDS = 60 * 60;

/** Ours: an object goes this long after its last link, when no signed URL to it can be alive. */
export const OUTBOX_DELAY_SECONDS = 24 * 60 * 60;

/** Ours: what one manifest may refer to; checked in batches of 100, well inside Lambda's 30 s. */
export const MAX_REFERENCES = 10_000;

/** Ours: a blob up to this size is answered, a larger one is a redirect to S3. A config costs its client one request
 *  instead of two, and Lambda a read of no consequence. */
export const MAX_ANSWERED_BLOB_BYTES = 64 * 1024;

/** Ours: long enough to start a download on a slow line; S3 lets one already started finish. */
export const DOWNLOAD_URL_SECONDS = 20 * 60;

/** Ours: an access token ends after this; longer, and a revocation would take too long to hold everywhere. */
export const ACCESS_TOKEN_SECONDS = 15 * 60;

/** Ours: a client that kept a refresh token logs in anew after this. */
export const REFRESH_TOKEN_SECONDS = 90 * 24 * 60 * 60;

/** Ours: how long a browser stays logged in; over plain HTTP, where other programs of the machine may be sent the cookie; and without a
 *  request. */
export const SESSION_SECONDS = 12 * 60 * 60;
export const PLAIN_SESSION_SECONDS = 8 * 60 * 60;
export const SESSION_IDLE_SECONDS = 60 * 60;

/** Ours: as long as a job of CI may take which has logged in at its beginning. */
export const WORKLOAD_LOGIN_SECONDS = 6 * 60 * 60;

/** Ours: how long the audit trail goes back. */
export const AUDIT_RETENTION_SECONDS = 365 * 24 * 60 * 60;

/** Ours: bytes of access rights in a token; API Gateway takes 10,240 bytes of headers, and base64 adds a third. */
export const MAX_TOKEN_ACCESS_BYTES = 4096;

/** Ours: the part of these that the grants of a workload may take, which its tokens carry. */
export const MAX_TOKEN_GRANTS_BYTES = 3072;

/** Ours: a form or a JSON body of the token endpoint and of the management API. */
export const MAX_FORM_BYTES = 64 * 1024;

/** Ours: how long an epoch lasts at least, by default. Who was told that a blob exists has one whole epoch to use it. */
export const EPOCH_SECONDS = 24 * 60 * 60;

/** Ours: the shortest epoch that can be configured; a slow client takes this long from its first layer to its manifest. */
export const MIN_EPOCH_SECONDS = 60 * 60;

/** Ours: when something was pulled is known to this much; so a process writes it once a day at most. */
export const PULL_RECORD_SECONDS = 24 * 60 * 60;

/** Ours: how long it is known; longer than any policy may ask for. */
export const PULL_MEMORY_SECONDS = 400 * 24 * 60 * 60;

/** Ours: a repository that is in no catalog and has nothing in it is forgotten after this; longer than any request takes by far. */
export const FORGOTTEN_AFTER_SECONDS = 7 * 24 * 60 * 60;

/** Ours: how long the moves of a tag are known; the last move of a tag that is there always is. */
export const HISTORY_SECONDS = 400 * 24 * 60 * 60;

/** Ours: how long a manifest that was deleted can be brought back, by default. */
export const QUARANTINE_SECONDS = 7 * 24 * 60 * 60;
