/** Names of the variables that a stack sets and an entry point reads; imports nothing, so that both may. */
export const ENV = {
  /** The DynamoDB table of all metadata. */
  table: 'STOWAGE_TABLE',
  /** The S3 bucket of all bytes. */
  bucket: 'STOWAGE_BUCKET',
  /** Where DynamoDB is, for tests on one machine. @default AWS's own of the region */
  tableEndpoint: 'STOWAGE_DYNAMODB_ENDPOINT',
  /** Where S3 is, for tests on one machine; path-style then. @default AWS's own of the region */
  bucketEndpoint: 'STOWAGE_S3_ENDPOINT',
} as const;
