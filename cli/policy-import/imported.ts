import type { Policy, TagRule } from '../../api/types.ts';
import { Failure } from '../failure.ts';

export type Retention = NonNullable<Policy['retention']>;

/** Policies that do what the rules of another registry do there. */
export interface Imported {
  readonly policies: readonly Policy[];
  /** What is not quite the same, for people. */
  readonly notes: readonly string[];
}

/** What a rule says, but for what it is about. */
export type Clauses = Omit<TagRule, 'match'>;

export interface Target {
  readonly name: string;
  /** Patterns of repositories. */
  readonly repositories: readonly string[];
}

export type Json = Readonly<Record<string, unknown>>;

/** What cannot be said is refused: rules that say something else delete something else. */
export function refuse(place: string, why: string): never {
  throw new Failure(`${place}: ${why}`);
}

export function objectAt(value: unknown, place: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  return refuse(place, 'is no object');
}

export function listAt(value: unknown, place: string): readonly unknown[] {
  return Array.isArray(value) ? value : refuse(place, 'is no list');
}

export function textsAt(value: unknown, place: string): readonly string[] {
  const list = value === undefined || value === null ? [] : listAt(value, place);
  const wrong = list.findIndex((each) => typeof each !== 'string');
  return wrong < 0 ? (list as readonly string[]) : refuse(`${place}.${wrong}`, 'is no text');
}

export function countAt(value: unknown, place: string): number {
  const count = typeof value === 'string' ? Number(value) : value;
  if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 0) return count;
  return refuse(place, 'is no whole number from 0 on');
}

/** A field that is not known may change what the others mean. */
export function refuseOthers(value: Json, known: readonly string[], place: string): void {
  const other = Object.keys(value).find((key) => !known.includes(key));
  if (other !== undefined) refuse(`${place}.${other}`, 'is not known, so what it asks for cannot be said');
}

/** What means something in patterns of ours can be in no tag. */
export function prefixPattern(prefix: string): string {
  return `${prefix.replaceAll(/[*?[\]()!^]/g, '')}*`;
}
