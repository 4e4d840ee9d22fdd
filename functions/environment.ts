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
  /** Where DynamoDB is, for tests on one machine. @default AWS's own of the region */
  tableEndpoint: 'STOWAGE_DYNAMODB_ENDPOINT',
  /** Where S3 is, for tests on one machine; path-style then. @default AWS's own of the region */
  bucketEndpoint: 'STOWAGE_S3_ENDPOINT',
  /** Where SSM is, for tests on one machine. @default AWS's own of the region */
  signingKeysEndpoint: 'STOWAGE_SSM_ENDPOINT',
} as const;

/** Carries the challenge of a 401 past a gateway that may rename WWW-Authenticate, which then puts it back. */
export const CHALLENGE_HEADER = 'x-stowage-challenge';
