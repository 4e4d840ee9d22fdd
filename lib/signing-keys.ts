import { ArnFormat, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { ENV } from '../functions/environment.ts';
import type { Duty, Worker } from './registry-function.ts';

type KeyDuty = Extract<Duty, 'serve' | 'rotate'>;

/** What each duty does to the parameter. */
const ACTIONS: Record<KeyDuty, readonly string[]> = {
  serve: ['ssm:GetParameter'],
  rotate: ['ssm:GetParameter', 'ssm:PutParameter'],
};

/** The SSM parameter of the keys that access tokens are signed with. It is not a resource of the stack, since
 *  CloudFormation cannot make a SecureString: the job that rotates the keys makes it, and it outlives the stack. */
export class SigningKeys extends Construct {
  readonly parameterName: string;
  readonly #arn: string;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    const stack = Stack.of(this);
    this.parameterName = `/stowage/${stack.stackName}/signing-keys`;
    this.#arn = stack.formatArn({
      service: 'ssm',
      resource: 'parameter',
      resourceName: this.parameterName.slice(1),
      arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
    });
  }

  /** Lets the worker do to the keys what its duty needs, and tells it the parameter's name. Nothing else does
   *  either. No grant for KMS: the policy of the key `aws/ssm` lets everybody in the account use it through SSM
   *  who may read or write the parameter. */
  bind(worker: Worker<KeyDuty>): void {
    worker.allow(new PolicyStatement({ actions: [...ACTIONS[worker.duty]], resources: [this.#arn] }));
    worker.tell(ENV.signingKeys, this.parameterName);
  }
}
