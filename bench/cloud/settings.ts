/** Of the bucket that all registries share, and of whoever may do everything in it. */
export const BUCKET = 'bench';
export const REGION = 'us-east-1';
export const CREDENTIALS = { accessKeyId: 'AKIABENCH', secretAccessKey: 'only-on-this-machine' };

/** How far away stores are while something is timed: what S3 and DynamoDB take within a region, in round figures. */
export const DISTANCES = {
  s3: { latencyMs: 15, bytesPerSecond: 100e6 },
  dynamoDb: { latencyMs: 4, bytesPerSecond: 100e6 },
} as const;
