import { RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, BillingMode, type ITable, Table, TableEncryption } from 'aws-cdk-lib/aws-dynamodb';
import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import { ENV } from '../functions/environment.ts';
import { allowKey } from './data-key.ts';
import type { DataDuty, Worker } from './registry-function.ts';

interface MetadataTableProps {
  /** @default RemovalPolicy.RETAIN - tags and manifests cannot be rebuilt from the blobs alone */
  readonly removalPolicy?: RemovalPolicy;
  /** Whether DynamoDB refuses to delete the table, whoever asks. @default true - as above */
  readonly deletionProtection?: boolean;
  /** A table that is there already, kept or restored; it stays as it is. @default - one is made */
  readonly tableName?: string | undefined;
  /** A key of KMS that it is encrypted with. @default - DynamoDB's own, which costs nothing */
  readonly keyArn?: string | undefined;
}

/** Transactions need no more: each part is authorised by its own action. */
const SERVE = [
  'dynamodb:GetItem',
  'dynamodb:BatchGetItem',
  'dynamodb:Query',
  'dynamodb:PutItem',
  'dynamodb:UpdateItem',
  'dynamodb:DeleteItem',
  'dynamodb:ConditionCheckItem',
];

/** What each duty does to items. */
const ACTIONS: Record<DataDuty, readonly string[]> = {
  serve: SERVE,
  stream: SERVE,
  commit: SERVE, // finishes an upload as the API does
  sweep: SERVE,
  expire: ['dynamodb:Query', 'dynamodb:UpdateItem', 'dynamodb:DeleteItem'],
};

/** Partitions of the audit trail, which is only ever added to. */
const AUDIT_TRAIL = 'AUDIT#*';

/** The DynamoDB table of all metadata: docs/data-model.md says what its items are. */
export class MetadataTable extends Construct {
  readonly #table: Table | ITable;
  readonly #keyArn: string | undefined;

  constructor(scope: Construct, id: string, props: MetadataTableProps = {}) {
    super(scope, id);
    this.#keyArn = props.keyArn;
    this.#table = props.tableName ? Table.fromTableName(this, 'Table', props.tableName) : this.#make(props);
  }

  #make(props: MetadataTableProps): Table {
    const { keyArn } = props;
    return new Table(this, 'Table', {
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      timeToLiveAttribute: 'expiresAt',
      billingMode: BillingMode.PAY_PER_REQUEST, // nothing to pay while nobody asks
      // $0.20 per GB and month, against the day when a bug or a person writes the wrong thing.
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      // Encrypted with a key that AWS owns, unless one is named: a key of the account costs $1 a month and each request to it.
      ...(keyArn
        ? { encryption: TableEncryption.CUSTOMER_MANAGED, encryptionKey: Key.fromKeyArn(this, 'Key', keyArn) }
        : { encryption: TableEncryption.DEFAULT }),
      removalPolicy: props.removalPolicy ?? RemovalPolicy.RETAIN,
      deletionProtection: props.deletionProtection ?? true,
    });
  }

  get tableName(): string {
    return this.#table.tableName;
  }

  get tableArn(): string {
    return this.#table.tableArn;
  }

  /** Lets the worker do to items what its duty needs, and tells it the table's name. Nothing else does either. */
  bind(worker: Worker<DataDuty>): void {
    const actions = [...ACTIONS[worker.duty]];
    const resources = [this.#table.tableArn];
    worker.allow(new PolicyStatement({ actions, resources }));
    // Entries expire by DynamoDB's own hand, which no policy of ours concerns. That a put writes over none is a
    // condition of the put: IAM cannot tell the two apart.
    worker.allow(
      new PolicyStatement({
        effect: Effect.DENY,
        actions: ['dynamodb:UpdateItem', 'dynamodb:DeleteItem'],
        resources,
        // Not ForAllValues, as grants have it: under Deny that would refuse requests that name no key at all.
        conditions: { 'ForAnyValue:StringLike': { 'dynamodb:LeadingKeys': [AUDIT_TRAIL] } },
      }),
    );
    allowKey(worker, this.#keyArn, 'dynamodb');
    worker.tell(ENV.table, this.#table.tableName);
  }
}
