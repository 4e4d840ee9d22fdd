import type { Duration } from 'aws-cdk-lib';
import { Rule, RuleTargetInput, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { Construct } from 'constructs';
import type { RegistryFunction } from './registry-function.ts';

interface ScheduledJobProps {
  readonly job: RegistryFunction;
  readonly every: Duration;
  /** What the function is told. @default - that it is a schedule */
  readonly input?: object;
}

/** Runs a function again and again, for the first time one interval after it was deployed. */
export class ScheduledJob extends Construct {
  constructor(scope: Construct, id: string, { job, every, input }: ScheduledJobProps) {
    super(scope, id);
    const event = input && { event: RuleTargetInput.fromObject(input) };
    new Rule(this, 'Rule', {
      schedule: Schedule.rate(every),
      targets: [new LambdaFunction(job.handler, event)],
    });
  }
}
