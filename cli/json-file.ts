import { readFileSync } from 'node:fs';
import { Failure } from './failure.ts';

const STANDARD_INPUT = 0;

/** What a JSON file holds; `-` is standard input. */
export function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file === '-' ? STANDARD_INPUT : file, 'utf8'));
  } catch (error) {
    throw new Failure(`${file}: ${(error as Error).message}`);
  }
}
