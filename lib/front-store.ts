import { KeyValueStore } from 'aws-cdk-lib/aws-cloudfront';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { ENV } from '../functions/environment.ts';
import { globalName } from './global-name.ts';
import type { Worker } from './registry-function.ts';

/** What the job that rotates the keys does to the store. */
const ACTIONS = [
  'cloudfront-keyvaluestore:DescribeKeyValueStore',
  'cloudfront-keyvaluestore:GetKey',
  'cloudfront-keyvaluestore:PutKey',
];

/** What the front door's function knows at every edge location. Made empty; the job that rotates the keys fills it. */
export class FrontStore extends Construct {
  readonly store: KeyValueStore;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.store = new KeyValueStore(this, 'Store', {
      keyValueStoreName: globalName(this),
      comment: 'What the front door of Stowage has to know',
    });
  }

  /** Lets the job write the store, and tells it where it is. Nothing else may. */
  bind(worker: Worker<'rotate'>): void {
    const resources = [this.store.keyValueStoreArn];
    worker.allow(new PolicyStatement({ actions: [...ACTIONS], resources }));
    worker.tell(ENV.frontStore, this.store.keyValueStoreArn);
  }
}
