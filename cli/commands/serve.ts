import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';

const PROGRAM = new URL('../../local/main.ts', import.meta.url);

/** What the registry can be told: the program's own list. */
const SETTINGS: readonly Setting[] = JSON.parse(
  readFileSync(new URL('../../local/options.json', import.meta.url), 'utf8'),
);

interface Setting {
  readonly variable: string;
  readonly option?: string;
  readonly value?: string;
  readonly default: string;
  readonly what: string;
}

const variablesOnly = SETTINGS.filter(({ option }) => option === undefined)
  .map(({ variable, what, default: usual }) => `${variable} (${what}; default: ${usual})`)
  .join(', ');

const EXPLANATION = `
Without an option its variable counts. Only as variables: ${variablesOnly}.
"npm start" in the checkout is the same program: npm start -- --port 6000`;

export function addServeCommand(program: Command): void {
  const serve = program.command('serve').description('run a registry on this machine');
  for (const setting of SETTINGS) if (setting.option !== undefined) serve.addOption(optionOf(setting));
  serve.addHelpText('after', EXPLANATION).action(run);
}

function optionOf({ option, value, variable, what, default: usual }: Setting): Option {
  const flags = value === undefined ? `--${option}` : `--${option} <${value}>`;
  return new Option(flags, `${what} (${variable}; default: ${usual})`);
}

/** The host is a program of its own, configured by its environment; in this process, so that it gets each signal
 *  exactly once. */
async function run(options: Readonly<Record<string, string | true | undefined>>): Promise<void> {
  for (const setting of SETTINGS) {
    const value = setting.option === undefined ? undefined : options[optionOf(setting).attributeName()];
    if (value !== undefined) process.env[setting.variable] = value === true ? '1' : value;
  }
  await import(PROGRAM.href);
}
