import type { Duration } from 'aws-cdk-lib';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { Construct } from 'constructs';
import type { RegistryFunction } from './registry-function.ts';

interface ScheduledJobProps {
  readonly job: RegistryFunction;
  readonly every: Duration;
}

/** Runs a function again and again, for the first time one interval after it was deployed. */
export class ScheduledJob extends Construct {
  constructor(scope: Construct, id: string, { job, every }: ScheduledJobProps) {
    super(scope, id);
    new Rule(this, 'Rule', { schedule: Schedule.rate(every), targets: [new LambdaFunction(job.handler)] });
  }
}
