/** Whether the pattern, in which `*` stands for any characters, matches a text whole. Linear in pattern times text: no
 *  pattern can be made slow. */
export function matcherOf(pattern: string): (text: string) => boolean {
  const [start = '', ...rest] = pattern.split('*');
  const end = rest.pop();
  if (end === undefined) return (text) => text === pattern;
  return (text) => {
    if (!text.startsWith(start) || !text.endsWith(end) || text.length < start.length + end.length)
      return false;
    let position = start.length;
    for (const part of rest) {
      const found = text.indexOf(part, position);
      if (found < 0 || found + part.length > text.length - end.length) return false;
      position = found + part.length;
    }
    return true;
  };
}

/** Whether any of the patterns matches. */
export function anyMatcherOf(patterns: readonly string[]): (text: string) => boolean {
  const matchers = patterns.map(matcherOf);
  return (text) => matchers.some((matches) => matches(text));
}
