import { Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type CfnBucket,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { ENV } from '../functions/environment.ts';
import type { DataDuty, RegistryFunction } from './registry-function.ts';

interface BlobBucketProps {
  /** @default RemovalPolicy.RETAIN - the images are in no other place */
  readonly removalPolicy?: RemovalPolicy;
}

/** Where finished blobs and large manifests lie, and where the tails of chunked uploads wait for more. */
const BLOBS = 'blobs/';
const UPLOADS = 'uploads/';

/** An upload expires after 7 days (UPLOAD_EXPIRY_SECONDS); what S3 still holds of it a day later is nobody's. */
const UPLOAD_LEFTOVERS = Duration.days(8);

/** What each duty does to objects. */
const ACTIONS: Record<DataDuty, readonly string[]> = {
  serve: [
    's3:GetObject',
    's3:PutObject', // also starts and completes multipart uploads, and uploads their parts
    's3:DeleteObject',
    's3:AbortMultipartUpload',
  ],
  expire: ['s3:DeleteObject'],
};

/** The S3 bucket of all bytes. Private; what clients may read, they read by signed URLs. */
export class BlobBucket extends Construct {
  readonly #bucket: Bucket;

  constructor(scope: Construct, id: string, props: BlobBucketProps = {}) {
    super(scope, id);
    this.#bucket = new Bucket(this, 'Bucket', {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      // Objects are never written twice and go a day after their last link. Old versions would protect from
      // nothing, and every layer that was ever deleted would stay on the bill.
      versioned: false,
      lifecycleRules: [
        { id: 'multipart-uploads-given-up', abortIncompleteMultipartUploadAfter: UPLOAD_LEFTOVERS },
        { id: 'upload-tails-given-up', prefix: UPLOADS, expiration: UPLOAD_LEFTOVERS },
      ],
      removalPolicy: props.removalPolicy ?? RemovalPolicy.RETAIN,
    });
    Validations.of(this.#bucket).acknowledge({
      id: 'AwsSolutions-S1',
      reason: 'The registry logs each request; S3 access logs would store and bill the same once more.',
    });
  }

  get bucketName(): string {
    return this.#bucket.bucketName;
  }

  /** Lets the function do to objects what its duty needs, and tells it the bucket's name. Nothing else does either. */
  bind(to: RegistryFunction<DataDuty>): void {
    const patterns = [BLOBS, UPLOADS].map((prefix) => `${prefix}*`);
    const resources = patterns.map((pattern) => this.#bucket.arnForObjects(pattern));
    to.handler.addToRolePolicy(new PolicyStatement({ actions: [...ACTIONS[to.duty]], resources }));
    if (to.duty === 'serve') {
      // Nothing is ever listed. But S3 tells only those who may that an object is missing; others get a 403.
      const list = new PolicyStatement({ actions: ['s3:ListBucket'], resources: [this.#bucket.bucketArn] });
      to.handler.addToRolePolicy(list);
    }
    to.handler.addEnvironment(ENV.bucket, this.#bucket.bucketName);
    const bucket = Stack.of(this).getLogicalId(this.#bucket.node.defaultChild as CfnBucket);
    const findings = patterns.map((pattern) => ({
      id: `AwsSolutions-IAM5[Resource::<${bucket}.Arn>/${pattern}]`,
      reason: 'Each upload has a key of its own; the prefixes are all that can be known beforehand.',
    }));
    Validations.of(to).acknowledge(...findings);
  }
}
