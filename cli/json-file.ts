import { readFileSync } from 'node:fs';
import { Failure } from './failure.ts';

const STANDARD_INPUT = 0;

/** What to call a file that is given; `-` is standard input. */
export const nameOf = (file: string) => (file === '-' ? 'standard input' : file);

/** What a file should have, and where that is told. */
interface Expected {
  readonly holds: string;
  readonly advice: string;
}

/** What a JSON file holds; a `Failure` with the cure where it holds none. */
export function readJson(file: string, { holds, advice }: Expected): unknown {
  try {
    const text = readFileSync(file === '-' ? STANDARD_INPUT : file, 'utf8');
    if (text.trim() === '') throw new Error(`it is empty, and should hold ${holds}; ${advice}`);
    return JSON.parse(text);
  } catch (error) {
    const { message } = error as Error;
    const why = error instanceof SyntaxError ? `it is not JSON (${message}); ${advice}` : message;
    throw new Failure(`${nameOf(file)}: ${why}`);
  }
}
