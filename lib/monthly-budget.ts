import { CfnBudget } from 'aws-cdk-lib/aws-budgets';
import { Construct } from 'constructs';
import { globalName } from './global-name.ts';

interface MonthlyBudgetProps {
  readonly usd: number;
  /** Who is told when the month's bill nears it. */
  readonly email: string;
}

/** When the mail is sent: while something can still be done, and when a month is on its way beyond. */
const NOTICES = [
  { notificationType: 'ACTUAL', threshold: 80 },
  { notificationType: 'FORECASTED', threshold: 100 },
];

/** A mail before the month's bill passes a sum. It watches the whole account, since AWS bills by tags only where
 *  somebody has switched that on, and it stops nothing. */
export class MonthlyBudget extends Construct {
  constructor(scope: Construct, id: string, { usd, email }: MonthlyBudgetProps) {
    super(scope, id);
    new CfnBudget(this, 'Budget', {
      budget: {
        budgetName: globalName(this),
        budgetType: 'COST',
        timeUnit: 'MONTHLY',
        budgetLimit: { amount: usd, unit: 'USD' },
      },
      notificationsWithSubscribers: NOTICES.map((notice) => ({
        notification: { ...notice, comparisonOperator: 'GREATER_THAN', thresholdType: 'PERCENTAGE' },
        subscribers: [{ subscriptionType: 'EMAIL', address: email }],
      })),
    });
  }
}
