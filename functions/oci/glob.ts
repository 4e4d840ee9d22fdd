import { matcherOf } from './pattern.ts';

// Patterns of tags, labels and types. `*` stands for any characters, `?` for one, `[abc]`, `[a-z]` and `[!a-z]` for one of a
// set, `(…)` in a pattern that groups for what the group is named by. `[*]` is a star. All are linear in pattern times text.

type One = (unit: string) => boolean;

interface Glob {
  /** What stands between the stars. */
  readonly segments: readonly (readonly One[])[];
  /** Where `(` and `)` stand: in which segment, before which of its characters. */
  readonly marks: readonly (readonly [segment: number, offset: number])[];
}

/** What is wrong with a pattern, for whoever wrote it; `undefined` where nothing is. */
export function globProblem(pattern: string): string | undefined {
  const parsed = parse(pattern);
  if (typeof parsed === 'string') return parsed;
  return parsed.marks.length > 0 ? 'has a group, which has no meaning here' : undefined;
}

/** As `globProblem`, of a pattern that must have one group: `(*)-*`. */
export function groupProblem(pattern: string): string | undefined {
  const parsed = parse(pattern);
  if (typeof parsed === 'string') return parsed;
  return parsed.marks.length === 2 ? undefined : 'needs one group in parentheses, such as (*)-*';
}

/** Whether a pattern matches a text whole; one that is wrong matches nothing. */
export function globOf(pattern: string): (text: string) => boolean {
  if (!/[?[\](]/.test(pattern)) return matcherOf(pattern);
  const glob = parse(pattern);
  if (typeof glob === 'string' || glob.marks.length > 0) return () => false;
  return (text) => place(glob, text) !== undefined;
}

/** Whether any of the patterns matches. */
export function anyGlobOf(patterns: readonly string[]): (text: string) => boolean {
  const matchers = patterns.map(globOf);
  return (text) => matchers.some((matches) => matches(text));
}

/** What the group of a pattern stands for in a text that it matches, where each star takes as much as it can, the first
 *  one first. */
export function grouperOf(pattern: string): (text: string) => string | undefined {
  const glob = parse(pattern);
  if (typeof glob === 'string') return () => undefined;
  const [open, close] = glob.marks;
  if (!open || !close) return () => undefined;
  return (text) => {
    const starts = place(glob, text);
    const at = ([segment, offset]: readonly [number, number]) => (starts?.[segment] ?? 0) + offset;
    return starts && text.slice(at(open), at(close));
  };
}

/** Where each segment begins; the last ones are placed first, as far to the right as they go. */
function place({ segments }: Glob, text: string): number[] | undefined {
  const [first = [], ...rest] = segments;
  if (!fits(first, text, 0)) return undefined;
  const last = rest.pop();
  if (last === undefined) return first.length === text.length ? [0] : undefined;
  let end = text.length - last.length;
  if (end < first.length || !fits(last, text, end)) return undefined;
  const starts = [end];
  for (const segment of rest.toReversed()) {
    end -= segment.length;
    while (end >= first.length && !fits(segment, text, end)) end -= 1;
    if (end < first.length) return undefined;
    starts.push(end);
  }
  return [0, ...starts.reverse()];
}

function fits(segment: readonly One[], text: string, start: number): boolean {
  return segment.every((one, index) => start + index < text.length && one(text[start + index] as string));
}

/** A `]` that stands first in a set is one of it. */
const TOKENS = /[*?()]|\[[!^]?.[^\]]*\]|./gs;

function parse(pattern: string): Glob | string {
  const segments: One[][] = [[]];
  const marks: [number, number][] = [];
  for (const token of pattern.match(TOKENS) ?? []) {
    const segment = segments.at(-1) as One[];
    const one = oneOf(token);
    if (typeof one === 'string') return one;
    if (one) segment.push(one);
    else if (token === '*') segments.push([]);
    else if (token === '()'[marks.length]) marks.push([segments.length - 1, segment.length]);
    else return 'has parentheses that do not match, or more than one pair';
  }
  return marks.length === 1 ? 'has a parenthesis that nothing closes' : { segments, marks };
}

/** `undefined` for what stands for no one character, a text for what is wrong. */
function oneOf(token: string): One | string | undefined {
  if (/^[*()]$/.test(token)) return undefined;
  if (token === '?') return () => true;
  if (token === '[') return 'has a [ that nothing closes';
  if (token.length === 1) return (unit) => unit === token;
  const isNot = token[1] === '!' || token[1] === '^';
  const ranges = token.slice(isNot ? 2 : 1, -1).match(/.-.|./gs) ?? [];
  const wrong = ranges.find((range) => range.length === 3 && range > `${range[2]}-${range[2]}`);
  if (wrong) return `has a range that is empty: ${wrong}`;
  const isIn = (unit: string) =>
    ranges.some((range) => (range[0] ?? '') <= unit && unit <= (range.at(-1) ?? ''));
  return (unit) => isIn(unit) !== isNot;
}
