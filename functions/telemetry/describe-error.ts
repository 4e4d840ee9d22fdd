const MAX_CHARACTERS = 8_000;

/** The error's stack and those of its causes, for a log: without the query of any URL, which may sign it, and
 *  without credentials. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  const seen = new Set<unknown>();
  for (let current = error; current !== undefined && !seen.has(current); current = causeOf(current)) {
    seen.add(current);
    parts.push(current instanceof Error ? (current.stack ?? `${current}`) : String(current));
  }
  return redact(parts.join('\ncaused by: ')).slice(0, MAX_CHARACTERS);
}

const causeOf = (error: unknown) =>
  error instanceof Error && error.cause instanceof Error ? error.cause : undefined;

function redact(text: string): string {
  return text
    .replaceAll(/\?[^\s'"<>?]*=[^\s'"<>]*/g, '?…')
    .replaceAll(/\b(Bearer|Basic) +[\w.~+/=-]+/gi, '$1 …')
    .replaceAll(/\b(X-Amz-(?:Signature|Credential|Security-Token)["']?[=:] *["']?)[^\s&'",]+/gi, '$1…');
}
