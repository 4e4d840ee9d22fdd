import type { Condition } from '../table.ts';
import type { Expression } from './expression.ts';

/** `when` in DynamoDB's words, to be spread into a request; nothing where there are no conditions. */
export function conditionOf(
  when: readonly Condition[],
  expression: Expression,
): { readonly ConditionExpression?: string } {
  if (when.length === 0) return {};
  return { ConditionExpression: when.map((condition) => phrase(condition, expression)).join(' AND ') };
}

// A comparison with an absent attribute, or between two types, is false in DynamoDB: as `Condition` promises.
function phrase(condition: Condition, expression: Expression): string {
  switch (condition.is) {
    case 'absent':
      return 'attribute_not_exists(pk)';
    case 'present':
      return 'attribute_exists(pk)';
    case 'equals':
      return `${expression.name(condition.attribute)} = ${expression.value(condition.value)}`;
    case 'atMost':
      return `${expression.name(condition.attribute)} <= ${expression.value(condition.value)}`;
    case 'atLeast':
      return `${expression.name(condition.attribute)} >= ${expression.value(condition.value)}`;
  }
}
