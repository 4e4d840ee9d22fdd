import { table } from './text.ts';

/** Results go to standard output and nothing else does; messages go to standard error. */
export class Output {
  readonly #json: boolean;

  constructor({ json = false }: { readonly json?: boolean }) {
    this.#json = json;
  }

  /** A result: as the API gave it, or for people. */
  result(body: unknown, text: () => string): void {
    process.stdout.write(this.#json ? jsonText(body) : text());
  }

  /** A list: as the API gives it, or as a table; an empty one says so. */
  list<T>(plural: string, entries: readonly T[], columns: Columns<T>): void {
    if (entries.length === 0 && !this.#json) this.say(`no ${plural}`);
    else this.result({ [plural]: entries }, () => tableOf(entries, columns));
  }

  /** A secret that is shown once: alone on standard output, so that a script can take it from there. */
  secret(body: unknown, secret: string | undefined, message: string): void {
    if (this.#json) process.stdout.write(jsonText(body));
    else {
      this.say(message);
      if (secret !== undefined) process.stdout.write(`${secret}\n`);
    }
  }

  /** A change that was made: what there is now, for programs; for people, that it is so. */
  done(body: unknown, message: string): void {
    if (this.#json) process.stdout.write(jsonText(body));
    else this.say(message);
  }

  say(message: string): void {
    process.stderr.write(`${message}\n`);
  }
}

/** What a table shows of an entry, under which heading. */
export type Columns<T> = Readonly<Record<string, (entry: T) => string | undefined>>;

function tableOf<T>(entries: readonly T[], columns: Columns<T>): string {
  const rows = entries.map((entry) => Object.values(columns).map((cell) => cell(entry) ?? ''));
  return table(Object.keys(columns), rows);
}

/** JSON leaves control characters above U+007F as they are, and some terminals obey those. */
function jsonText(body: unknown): string {
  const text = JSON.stringify(body, null, 2);
  return `${text.replaceAll(/[\u007f-\u009f]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`)}\n`;
}
