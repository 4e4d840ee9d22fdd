/** What DynamoDB refuses a call with. */
interface Refusal {
  readonly status: 400;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

type StoredKey = { readonly pk: { readonly S: string }; readonly sk: { readonly S: string } };

interface Action {
  readonly TableName: string;
  readonly Key?: StoredKey;
  readonly Item?: StoredKey;
}

interface TransactInput {
  readonly TransactItems: readonly Readonly<Record<string, Action>>[];
  readonly ClientRequestToken?: string;
}

const ONGOING = 'Transaction is ongoing for the item';
const CANCELLED = 'Transaction cancelled, please refer cancellation reasons for specific reasons';

/** Of which items a transaction is running, and what DynamoDB refuses for it: another transaction, one of reads too, that names one
 *  of them, if only for a check, and a write of one. Reads of single items, batches and queries see what was there before.
 *  https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling */
export class RunningTransactions {
  readonly conflicts = new Map<string, number>();
  readonly #items = new Set<string>();
  readonly #tokens = new Set<string>();

  /** What `carryOut` answers, which is told whether this is a transaction that writes; or a refusal. */
  async run<T>(
    operation: string,
    body: Buffer,
    carryOut: (isTransaction: boolean) => Promise<T>,
  ): Promise<T | Refusal> {
    if (['PutItem', 'UpdateItem', 'DeleteItem'].includes(operation)) {
      return this.#isRunning(JSON.parse(`${body}`)) ? conflict() : carryOut(false);
    }
    const isTransaction = operation === 'TransactWriteItems';
    if (!isTransaction && operation !== 'TransactGetItems') return carryOut(false);
    const { TransactItems, ClientRequestToken: token = '' } = JSON.parse(`${body}`) as TransactInput;
    const actions = TransactItems.flatMap((item) => Object.values(item));
    if (this.#tokens.has(token)) return inProgress();
    const met = actions.map((action) => this.#isRunning(action));
    if (met.includes(true)) return cancelled(met);
    return isTransaction ? this.#hold(token, actions.map(idOf), carryOut) : carryOut(false);
  }

  async #hold<T>(
    token: string,
    items: readonly string[],
    carryOut: (isTransaction: boolean) => Promise<T>,
  ): Promise<T> {
    if (token) this.#tokens.add(token);
    for (const item of items) this.#items.add(item);
    try {
      return await carryOut(true);
    } finally {
      this.#tokens.delete(token);
      for (const item of items) this.#items.delete(item);
    }
  }

  #isRunning(action: Action): boolean {
    const isRunning = this.#items.has(idOf(action));
    if (isRunning) {
      const kind = kindOf(action);
      this.conflicts.set(kind, (this.conflicts.get(kind) ?? 0) + 1);
    }
    return isRunning;
  }
}

const keyOf = ({ Key, Item }: Action) => (Key ?? Item) as StoredKey;
const idOf = (action: Action) => JSON.stringify([action.TableName, keyOf(action).pk.S, keyOf(action).sk.S]);

/** What the item is, without the names in its key. */
function kindOf(action: Action): string {
  const { pk, sk } = keyOf(action);
  return [pk.S, sk.S].map((text) => text.replace(/#.+$/, '#…')).join(' ');
}

const cancelled = (met: readonly boolean[]) => {
  const reasons = met.map((isMet) =>
    isMet ? { Code: 'TransactionConflict', Message: ONGOING } : { Code: 'None' },
  );
  const codes = reasons.map(({ Code }) => Code).join(', ');
  return refusal('TransactionCanceledException', {
    Message: `${CANCELLED} [${codes}]`,
    CancellationReasons: reasons,
  });
};

const conflict = () => refusal('TransactionConflictException', { message: ONGOING });

const inProgress = () =>
  refusal('TransactionInProgressException', {
    Message: 'Transaction with the given request token is already in progress',
  });

function refusal(name: string, told: object): Refusal {
  const body = JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${name}`, ...told });
  return { status: 400, headers: { 'content-type': 'application/x-amz-json-1.0' }, body };
}
