import { type CfnResource, CustomResourceProviderBase, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Trigger } from 'aws-cdk-lib/triggers';
import { Construct } from 'constructs';
import type { RegistryFunction } from './registry-function.ts';

interface DeploymentRunProps {
  readonly job: RegistryFunction;
  /** What is made or changed only after the run. */
  readonly before: readonly Construct[];
}

/** Runs a function while the stack is deployed, for the first time and whenever the function has changed, as soon
 *  as it may do what it has to. A deployment whose run fails is rolled back. One to a stack. */
export class DeploymentRun extends Construct {
  constructor(scope: Construct, id: string, { job, before }: DeploymentRunProps) {
    super(scope, id);
    new Trigger(this, 'Trigger', { handler: job.handler, executeAfter: [job], executeBefore: [...before] });
    Validations.of(job.handler).acknowledge({
      id: 'Annotation::@aws-cdk/aws-lambda:addPermissionsToVersionOrAlias',
      reason:
        'The trigger names a version and may invoke it; the schedule names the function and may invoke that.',
    });
    this.#restrain();
  }

  /** The CDK brings a function that invokes ours; left alone, it could write every log of the account, and its own
   *  would never forget. */
  #restrain(): void {
    const invoker = Stack.of(this).node.children.find((child) => child instanceof CustomResourceProviderBase);
    if (!invoker) throw new Error('a trigger has no function any more that invokes');
    const retention = RetentionDays.ONE_MONTH;
    const logs = new LogGroup(this, 'Logs', { retention, removalPolicy: RemovalPolicy.DESTROY });
    const handler = invoker.node.findChild('Handler') as CfnResource;
    handler.addPropertyOverride('LoggingConfig.LogGroup', logs.logGroupName);
    const role = invoker.node.findChild('Role') as CfnResource;
    role.addPropertyDeletionOverride('ManagedPolicyArns');
    invoker.addToRolePolicy({
      Effect: 'Allow',
      Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      Resource: [logs.logGroupArn],
    });
  }
}
