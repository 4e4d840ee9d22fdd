import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A fresh directory that goes with the test. */
export async function scratch(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'stowage-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}
