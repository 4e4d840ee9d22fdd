import { Duration, type RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  BucketPolicy,
  type CfnBucket,
  type IBucket,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { ENV } from '../functions/environment.ts';
import { BLOBS, denyOverwrites, letFrontDoorIn } from './blob-policy.ts';
import { allowKey } from './data-key.ts';
import type { DataDuty, Duty, Worker } from './registry-function.ts';

interface BlobBucketProps {
  readonly removalPolicy: RemovalPolicy;
  /** A bucket that is there already, kept or restored; it gets the registry's policy, and stays as it is otherwise. @default - one is made */
  readonly bucketName?: string | undefined;
  /** A key of KMS that objects are encrypted with. @default - S3's own, which costs nothing */
  readonly keyArn?: string | undefined;
}

/** Where the tails of chunked uploads wait for more. */
const UPLOADS = 'uploads/';

/** An upload expires after 7 days (UPLOAD_EXPIRY_SECONDS); what S3 still holds of it a day later is nobody's. */
const UPLOAD_LEFTOVERS = Duration.days(8);

/** A copy of the signing keys, for a host that can reach S3 but not SSM. No grant on blobs or uploads reaches it. */
const KEYS = 'keys/signing-keys';

const SERVE = [
  's3:GetObject',
  's3:PutObject', // also starts and completes multipart uploads, and uploads their parts
  's3:DeleteObject',
  's3:AbortMultipartUpload',
  's3:ListMultipartUploadParts', // of those that clients send themselves
];

/** What each duty does to objects. */
const ACTIONS: Record<DataDuty, readonly string[]> = {
  serve: SERVE,
  stream: SERVE,
  commit: ['s3:GetObject'], // asks what was received
  sweep: ['s3:GetObject'], // reads the manifests that are objects
  expire: ['s3:DeleteObject'],
};

/** Where it does so: a tail matters to whoever writes uploads or lets go of them. */
const PREFIXES: Record<DataDuty, readonly string[]> = {
  serve: [BLOBS, UPLOADS],
  stream: [BLOBS, UPLOADS],
  commit: [BLOBS],
  sweep: [BLOBS],
  expire: [BLOBS, UPLOADS],
};

/** What each duty does to the copy of the signing keys. */
const KEY_ACTIONS = {
  rotate: ['s3:GetObject', 's3:PutObject'], // writes only over what it has read
  stream: ['s3:GetObject'],
} as const;

type KeyDuty = Extract<Duty, keyof typeof KEY_ACTIONS>;

/** The S3 bucket of all bytes. Private; what clients may read, they read by signed URLs. */
export class BlobBucket extends Construct {
  readonly #bucket: Bucket | IBucket;
  #policy: BucketPolicy | undefined;
  readonly #made: CfnBucket | undefined;
  readonly #keyArn: string | undefined;

  constructor(scope: Construct, id: string, props: BlobBucketProps) {
    super(scope, id);
    this.#keyArn = props.keyArn;
    if (props.bucketName) {
      this.#bucket = Bucket.fromBucketName(this, 'Bucket', props.bucketName);
      for (const statement of denyPlainText(this.bucketArn)) this.#add(statement);
    } else {
      const bucket = this.#make(props);
      this.#made = bucket.node.defaultChild as CfnBucket;
      this.#bucket = bucket;
    }
    this.#add(PolicyStatement.fromJson(denyOverwrites(this.bucketArn)));
  }

  /** To a bucket that is not made here, a policy of its own. */
  #add(statement: PolicyStatement): void {
    if (this.#made) {
      this.#bucket.addToResourcePolicy(statement);
      return;
    }
    this.#policy ??= new BucketPolicy(this, 'Policy', { bucket: this.#bucket as IBucket });
    this.#policy.document.addStatements(statement);
  }

  #make({ removalPolicy, keyArn }: BlobBucketProps): Bucket {
    const encryptionKey = keyArn && Key.fromKeyArn(this, 'Key', keyArn);
    const bucket = new Bucket(this, 'Bucket', {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      ...(encryptionKey
        ? { encryption: BucketEncryption.KMS, encryptionKey, bucketKeyEnabled: true }
        : { encryption: BucketEncryption.S3_MANAGED }),
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      // Objects are never written twice and go a day after their last link. Old versions would protect from
      // nothing, and every layer that was ever deleted would stay on the bill.
      versioned: false,
      lifecycleRules: [
        { id: 'multipart-uploads-given-up', abortIncompleteMultipartUploadAfter: UPLOAD_LEFTOVERS },
        { id: 'upload-tails-given-up', prefix: UPLOADS, expiration: UPLOAD_LEFTOVERS },
      ],
      removalPolicy,
    });
    Validations.of(bucket).acknowledge({
      id: 'AwsSolutions-S1',
      reason: 'The registry logs each request; S3 access logs would store and bill the same once more.',
    });
    return bucket;
  }

  get bucketName(): string {
    return this.#bucket.bucketName;
  }

  get bucketArn(): string {
    return this.#bucket.bucketArn;
  }

  get regionalDomainName(): string {
    return this.#bucket.bucketRegionalDomainName;
  }

  /** Lets the worker do to objects what its duty needs, and tells it the bucket's name. */
  bind(worker: Worker<DataDuty>): void {
    const patterns = PREFIXES[worker.duty].map((prefix) => `${prefix}*`);
    const resources = patterns.map((pattern) => this.#bucket.arnForObjects(pattern));
    worker.allow(new PolicyStatement({ actions: [...ACTIONS[worker.duty]], resources }));
    if (worker.duty !== 'expire') {
      // No function lists objects; `stowage scan` does, with the credentials of whoever runs it. But S3 tells only
      // those who may that an object is missing; others get a 403.
      const list = new PolicyStatement({ actions: ['s3:ListBucket'], resources: [this.#bucket.bucketArn] });
      worker.allow(list);
    }
    allowKey(worker, this.#keyArn, 's3');
    worker.tell(ENV.bucket, this.#bucket.bucketName);
    const arn = this.#made
      ? `<${Stack.of(this).getLogicalId(this.#made)}.Arn>`
      : `arn:<AWS::Partition>:s3:::${this.bucketName}`;
    const findings = patterns.map((pattern) => ({
      id: `AwsSolutions-IAM5[Resource::${arn}/${pattern}]`,
      reason: 'Each upload has a key of its own; the prefixes are all that can be known beforehand.',
    }));
    Validations.of(worker).acknowledge(...findings);
  }

  /** Lets the worker write or read the copy of the signing keys, and tells it where that is. */
  bindKeys(worker: Worker<KeyDuty>): void {
    const resources = [this.#bucket.arnForObjects(KEYS)];
    worker.allow(new PolicyStatement({ actions: [...KEY_ACTIONS[worker.duty]], resources }));
    allowKey(worker, this.#keyArn, 's3');
    worker.tell(ENV.bucket, this.#bucket.bucketName);
    worker.tell(ENV.keysObject, KEYS);
  }

  /** Lets the front door write blobs, and read them. */
  letIn(distributionArn: string): void {
    for (const statement of letFrontDoorIn(this.#bucket.bucketArn, distributionArn)) {
      this.#add(PolicyStatement.fromJson(statement));
    }
  }

  /** Has S3 tell EventBridge of every object that is written; of a bucket that is not made here, its owner has. */
  sendEvents(): void {
    if (!this.#made) return;
    // Not `enableEventBridgeNotification`, which brings a function of the CDK's to set this one property.
    this.#made.notificationConfiguration = {
      eventBridgeConfiguration: { eventBridgeEnabled: true },
    };
  }
}

/** As `enforceSSL` and `minimumTLSVersion` have it of a bucket that is made. */
function denyPlainText(bucketArn: string): readonly PolicyStatement[] {
  const conditions = [
    { Bool: { 'aws:SecureTransport': 'false' } },
    { NumericLessThan: { 's3:TlsVersion': 1.2 } },
  ];
  const refused = { effect: Effect.DENY, principals: [new AnyPrincipal()], actions: ['s3:*'] };
  const resources = [bucketArn, `${bucketArn}/*`];
  return conditions.map((condition) => new PolicyStatement({ ...refused, resources, conditions: condition }));
}
