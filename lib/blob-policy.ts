/** Where finished blobs and large manifests lie. */
export const BLOBS = 'blobs/';

/** A statement of a bucket policy, as S3 reads it. Nothing here is the CDK's: the stand-in for S3 that tests run on
 *  (`test/aws/s3`) decides by these same statements. */
export interface PolicyStatement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Principal: '*' | { readonly Service: string };
  readonly Action: readonly string[];
  readonly Resource: string;
  readonly Condition: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const WITHOUT_IF_NONE_MATCH = { 's3:if-none-match': 'true' };

/** No key of a blob is ever written twice, whoever writes: what creates an object there, PutObject, CopyObject and
 *  CompleteMultipartUpload, must say `If-None-Match`, so `If-Match`, which replaces, is refused as well. CreateMultipartUpload
 *  and UploadPart are PutObject to IAM too, and have no conditions; they create no object.
 *  https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html */
export function denyOverwrites(bucketArn: string): PolicyStatement {
  return {
    Effect: 'Deny',
    Principal: '*',
    Action: ['s3:PutObject'],
    Resource: `${bucketArn}/${BLOBS}*`,
    Condition: { Null: WITHOUT_IF_NONE_MATCH, Bool: { 's3:ObjectCreationOperation': 'true' } },
  };
}

/** Lets the front door read blobs, by URLs that it checks, and write them, each whole and each key once. */
export function letFrontDoorIn(bucketArn: string, distributionArn: string): readonly PolicyStatement[] {
  const StringEquals = { 'aws:SourceArn': distributionArn };
  const frontDoor = {
    Principal: { Service: 'cloudfront.amazonaws.com' },
    Resource: `${bucketArn}/${BLOBS}*`,
  };
  return [
    {
      Effect: 'Allow',
      ...frontDoor,
      Action: ['s3:PutObject', 's3:GetObject'],
      Condition: { StringEquals },
    },
    // Of it this refuses the parts of a multipart upload as well.
    {
      Effect: 'Deny',
      ...frontDoor,
      Action: ['s3:PutObject'],
      Condition: { StringEquals, Null: WITHOUT_IF_NONE_MATCH },
    },
  ];
}
