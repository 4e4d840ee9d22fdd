import { Aspects, CfnResource, type Stack } from 'aws-cdk-lib';

export interface IamRules {
  /** A managed policy that bounds what each role may do, whatever its own policies say. @default - none */
  readonly permissionsBoundaryArn?: string | undefined;
  /** Where roles are put, such as `/registry/`. @default `/` */
  readonly iamPath?: string | undefined;
}

/** Has every role of the stack, the CDK's own too, and every instance profile keep a company's rules. */
export function keepIamRules(stack: Stack, { permissionsBoundaryArn, iamPath }: IamRules): void {
  const rules: Readonly<Record<string, Readonly<Record<string, string | undefined>>>> = {
    'AWS::IAM::Role': { PermissionsBoundary: permissionsBoundaryArn, Path: iamPath },
    'AWS::IAM::InstanceProfile': { Path: iamPath },
  };
  Aspects.of(stack).add({
    visit(node) {
      if (!CfnResource.isCfnResource(node)) return;
      for (const [name, value] of Object.entries(rules[node.cfnResourceType] ?? {}))
        if (value !== undefined) node.addPropertyOverride(name, value);
    },
  });
}
