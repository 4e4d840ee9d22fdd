// What a stack and an entry point have to agree on; imports nothing, so that both may read it.

/** Names of the variables that a stack sets and an entry point reads. */
export const ENV = {
  /** The DynamoDB table of all metadata. */
  table: 'STOWAGE_TABLE',
  /** The S3 bucket of all bytes. */
  bucket: 'STOWAGE_BUCKET',
  /** The SSM parameter (SecureString) of the keys that access tokens are signed with. */
  signingKeys: 'STOWAGE_SIGNING_KEYS',
  /** How clients reach the registry, such as `https://registry.example.com`. @default https and the host they name */
  publicUrl: 'STOWAGE_PUBLIC_URL',
  /** `1`: no users, whoever can connect may do everything. Only for a registry that nobody else can reach. */
  open: 'STOWAGE_OPEN',
  /** What clients may name as host, and web pages as their origin, with commas between. @default in an open registry, the
   *  public URL's and those of this machine; else any host, and no other web page */
  hosts: 'STOWAGE_HOSTS',
  /** How long an epoch lasts, which is how long a client may rely on what it was told. @default a day */
  epochSeconds: 'STOWAGE_EPOCH_SECONDS',
  /** How long a deleted manifest can be brought back. @default seven days */
  quarantineSeconds: 'STOWAGE_QUARANTINE_SECONDS',
  /** `1`: epochs may be shorter than real clients need. For tests. */
  unsafeShortEpochs: 'STOWAGE_UNSAFE_SHORT_EPOCHS',
  /** Where DynamoDB is, for tests on one machine. @default AWS's own of the region */
  tableEndpoint: 'STOWAGE_DYNAMODB_ENDPOINT',
  /** Where S3 is, for tests on one machine; path-style then. @default AWS's own of the region */
  bucketEndpoint: 'STOWAGE_S3_ENDPOINT',
  /** Where SSM is, for tests on one machine. @default AWS's own of the region */
  signingKeysEndpoint: 'STOWAGE_SSM_ENDPOINT',
  /** The SHA-256, in base64url, of what the front door proves itself with in `FRONT_HEADERS.secret`; after a rotation two, with a
   *  comma between. Absent where there is no front door; where there is one, nobody else is let in, and uploads may go past the
   *  registry. */
  frontSecretHash: 'STOWAGE_FRONT_SECRET_SHA256',
  /** The ARN of the KeyValueStore that the front door's functions read; set where keys are rotated. */
  frontStore: 'STOWAGE_FRONT_STORE',
  /** Where CloudFront's KeyValueStore is, for tests on one machine. @default AWS's own */
  frontStoreEndpoint: 'STOWAGE_FRONT_STORE_ENDPOINT',
  /** The key of the object with a copy of the signing keys, for a stream host that cannot reach SSM: written where keys are
   *  rotated, and read instead of SSM where a registry is told of it. */
  keysObject: 'STOWAGE_KEYS_OBJECT',
  /** MiB of memory for the parts that uploads are sent to S3 in, of a whole process. @default 64 */
  partMemory: 'STOWAGE_PART_MEMORY_MIB',
  /** `s3` or `cdn`: whether a large blob is a redirect to S3 or to the front door's own `/blobs/`. @default s3 */
  downloads: 'STOWAGE_DOWNLOADS',
  /** `redirected`: HEAD of a blob is answered by the store, since the gateway loses its Content-Length. @default answered */
  heads: 'STOWAGE_HEADS',
  /** The SSM parameter of the private key that CloudFront's signed URLs are signed with (PEM). */
  downloadKey: 'STOWAGE_DOWNLOAD_KEY',
  /** The id of its public key at CloudFront. */
  downloadKeyId: 'STOWAGE_DOWNLOAD_KEY_ID',
} as const;

/** What the front door tells the registry with each request. Only of worth beside the right secret; the front door
 *  overwrites whatever a client sends under these names. */
export const FRONT_HEADERS = {
  secret: 'x-stowage-front',
  /** The client's network address. */
  address: 'x-stowage-address',
  /** The host, and where there is one the port, that the client named. */
  host: 'x-stowage-host',
} as const;

/** The key in the KeyValueStore under which the front door finds the signing keys, as JSON: `{keys: [{id, secret: base64url}]}`. */
export const FRONT_STORE_KEY = 'front';

/** The ids of the front door's origins, which its function chooses among. */
export const ORIGINS = { api: 'api', blobs: 'blobs', stream: 'stream' } as const;

/** Carries the challenge of a 401 past a gateway that may rename WWW-Authenticate, which then puts it back. */
export const CHALLENGE_HEADER = 'x-stowage-challenge';

/** What every answer tells a browser: to take it for nothing but what it says it is, and to load, run and show nothing of it. */
export const ANSWER_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
} as const;
