type Steps = Readonly<Record<string, () => Promise<unknown>>>;

/** Runs each step, though others fail, and then fails with what went wrong in each. */
export async function attemptAll(steps: Steps): Promise<void> {
  const failures: string[] = [];
  for (const [name, step] of Object.entries(steps)) {
    try {
      await step();
    } catch (error) {
      failures.push(`${name}: ${reasonOf(error)}`);
    }
  }
  if (failures.length > 0) throw new Error(failures.join('; '));
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && !error.message.includes(error.cause.message)
    ? `${error.message} (${error.cause.message})`
    : error.message;
}
