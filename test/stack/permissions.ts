import type { Template } from 'aws-cdk-lib/assertions';
import { resourcesOf } from './synthesize.ts';

export interface Statement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

export const list = <T>(value: T | readonly T[]) => (Array.isArray(value) ? value : [value]) as readonly T[];

/** Of every policy, those of buckets and topics, of roles and inside of roles alike. The gateway endpoints' are no
 *  grants: they take away from what the role of whoever is behind them allows. */
export const allowedBy = (of: Template) =>
  [...resourcesOf(of).values()]
    .filter(({ Type }) => Type !== 'AWS::EC2::VPCEndpoint')
    .flatMap(({ Properties }) => [Properties, ...(Properties?.Policies ?? [])])
    .flatMap((holder) => list<Statement>(holder?.PolicyDocument?.Statement ?? []))
    .filter(({ Effect }) => Effect === 'Allow');

export function statementsOf(of: Template, role: string): readonly Statement[] {
  const policies = [...resourcesOf(of, 'AWS::IAM::Policy').values()].filter(({ Properties }) =>
    Properties.Roles.some(({ Ref }: { Ref: string }) => Ref === role),
  );
  return policies.flatMap(({ Properties }) => Properties.PolicyDocument.Statement as Statement[]);
}

/** The function whose description ends so, with all its role allows. */
export function functionThat(does: RegExp, of: Template) {
  const found = [...resourcesOf(of, 'AWS::Lambda::Function').values()].find(({ Properties }) =>
    does.test(Properties.Description),
  );
  const role = found?.Properties.Role['Fn::GetAtt'][0] as string;
  if (!found) throw new Error(`no function ${does}`);
  return { properties: found.Properties, statements: statementsOf(of, role) };
}

const allowing = (statements: readonly Statement[]) => statements.filter(({ Effect }) => Effect === 'Allow');
export const servicesOf = (statements: readonly Statement[]) =>
  new Set(statements.map(({ Action }) => list(Action)[0]?.split(':')[0]));
export const actionsOn = (statements: readonly Statement[], service: string) =>
  allowing(statements).flatMap(({ Action }) =>
    list(Action).filter((action) => action.startsWith(`${service}:`)),
  );

/** Those of one service. */
export const statementsOn = (statements: readonly Statement[], service: string) =>
  statements.filter(({ Action }) => list(Action)[0]?.startsWith(`${service}:`));

/** The names of the SSM parameters that an action is allowed on. */
export const parametersFor = (statements: readonly Statement[], action: string) =>
  statements
    .filter(({ Action }) => list(Action).includes(action))
    .flatMap(({ Resource }) => list(Resource))
    .map((resource) => /:parameter(\/[\w/-]+)/.exec(JSON.stringify(resource))?.[1])
    .sort();
