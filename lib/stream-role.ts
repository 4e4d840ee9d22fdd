import { InstanceProfile, type PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { Worker } from './registry-function.ts';

/** What the stream host may do and is told. It comes before the host, whose start depends on all of it. */
export class StreamRole extends Construct implements Worker<'stream'> {
  readonly duty = 'stream';
  readonly role: Role;
  readonly profile: InstanceProfile;
  readonly #environment = new Map<string, string>();

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('ec2.amazonaws.com') });
    this.profile = new InstanceProfile(this, 'Profile', { role: this.role });
  }

  get environment(): ReadonlyMap<string, string> {
    return this.#environment;
  }

  allow(statement: PolicyStatement): void {
    this.role.addToPrincipalPolicy(statement);
  }

  tell(name: string, value: string): void {
    this.#environment.set(name, value);
  }
}
