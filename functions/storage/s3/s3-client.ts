import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';

interface S3ClientOptions {
  /** Spoken to path-style. @default AWS's own of the region */
  readonly endpoint?: string | undefined;
  readonly requestHandler: NonNullable<S3ClientConfig['requestHandler']>;
}

export function s3Client({ endpoint, requestHandler }: S3ClientOptions): S3Client {
  return new S3Client({
    ...(endpoint && { endpoint, forcePathStyle: true }),
    requestHandler,
    // Every write carries the SHA-256 we need anyway; a second checksum would cost time, and spoil signed URLs.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
}
