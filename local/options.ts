import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

/** One thing that a registry on a Node host can be told; `options.json` has all there are. */
export interface Setting {
  /** `STOWAGE_PORT` */
  readonly variable: string;
  /** `port`; absent for what can only be a variable. */
  readonly option?: string;
  /** What is to be given; absent for what is only said. */
  readonly value?: string;
  /** In words where it is no value of its own. */
  readonly default: string;
  readonly what: string;
}

export const SETTINGS: readonly Setting[] = JSON.parse(
  readFileSync(new URL('./options.json', import.meta.url), 'utf8'),
);

/** The environment as options of a command line change it: these win. Throws for an option that there is none of. */
export function withOptions(words: readonly string[], environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const known = SETTINGS.filter(({ option }) => option !== undefined);
  const types = known.map(
    ({ option = '', value }) => [option, { type: value ? 'string' : 'boolean' }] as const,
  );
  const { values } = parseArgs({ args: [...words], options: Object.fromEntries(types), strict: true });
  const given = known.flatMap(({ option = '', variable }) => {
    const value = values[option];
    return value === undefined ? [] : [[variable, value === true ? '1' : `${value}`] as const];
  });
  return { ...environment, ...Object.fromEntries(given) };
}

/** All settings, for people: option, what it is, variable and default. */
export function settingsText(): string {
  const lines = SETTINGS.map(({ option, value, variable, what, default: usual }) => {
    const name = option === undefined ? variable : `--${option}${value === undefined ? '' : ` <${value}>`}`;
    const where = option === undefined ? '' : `${variable}; `;
    return `  ${name}\n      ${what} (${where}default: ${usual})`;
  });
  return `Usage: npm start -- [options], or: stowage serve [options]

Options win over variables.

${lines.join('\n')}
`;
}
