const NAME_WIDTH = 9;

/** Thrown by a check that cannot be made here; it counts as skipped, and its message says why. */
export class Skip extends Error {
  override readonly name = 'Skip';
}

type Outcome = 'passed' | 'failed' | 'skipped';

interface Row {
  readonly client: string;
  readonly outcome: Outcome;
  readonly seconds: number;
}

const LABELS = { passed: 'ok', failed: 'FAIL', skipped: 'skipped:' } as const;

/** Prints one line per check as it ends, and remembers how it went. */
export class Report {
  readonly #rows: Row[] = [];

  /** Runs a check; undefined if it failed or was skipped. `describe` adds to the line of one that passed. */
  async check<Result>(
    client: string,
    what: string,
    work: () => Promise<Result>,
    describe: (result: Result) => string = () => '',
  ): Promise<Result | undefined> {
    const start = performance.now();
    const seconds = () => (performance.now() - start) / 1000;
    try {
      const result = await work();
      this.#add({ client, outcome: 'passed', seconds: seconds() }, `${what} ${describe(result)}`.trim());
      return result;
    } catch (error) {
      const outcome = error instanceof Skip ? 'skipped' : 'failed';
      this.#add({ client, outcome, seconds: seconds() }, `${what}: ${messageOf(error)}`);
      return undefined;
    }
  }

  skip(client: string, what: string, reason: string): void {
    this.#add({ client, outcome: 'skipped', seconds: 0 }, `${what}: ${reason}`);
  }

  fail(client: string, what: string, reason: string): void {
    this.#add({ client, outcome: 'failed', seconds: 0 }, `${what}: ${reason}`);
  }

  /** Prints a table by client, then the closing line. Returns the exit code. */
  close(): number {
    console.log(`\n${'client'.padEnd(NAME_WIDTH)}  passed  failed  skipped  seconds`);
    for (const client of new Set(this.#rows.map((row) => row.client))) {
      const rows = this.#rows.filter((row) => row.client === client);
      const seconds = rows.reduce((sum, row) => sum + row.seconds, 0).toFixed(1);
      const counts = [count(rows, 'passed', 6), count(rows, 'failed', 6), count(rows, 'skipped', 7)];
      console.log([client.padEnd(NAME_WIDTH), ...counts, seconds.padStart(7)].join('  '));
    }
    const [passed, failed] = [count(this.#rows, 'passed'), count(this.#rows, 'failed')];
    console.log(`\n${passed} passed, ${failed} failed, ${count(this.#rows, 'skipped')} skipped`);
    return failed === '0' ? 0 : 1;
  }

  #add(row: Row, text: string): void {
    this.#rows.push(row);
    const time = `${row.seconds.toFixed(1)} s`.padStart(8);
    const [first = '', ...rest] = text.split('\n');
    console.log(`${LABELS[row.outcome].padEnd(8)} ${time}  ${row.client.padEnd(NAME_WIDTH)} ${first}`);
    for (const line of rest) console.log(`${' '.repeat(NAME_WIDTH + 20)} ${line}`);
  }
}

function count(rows: readonly Row[], outcome: Outcome, width = 0): string {
  return String(rows.filter((row) => row.outcome === outcome).length).padStart(width);
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
