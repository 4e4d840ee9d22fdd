import type { Deployment } from './deployment.ts';
import { type Finding, findingOf, skipped } from './finding.ts';
import type { Probe } from './probe.ts';

/** What became of one probe. */
export interface Examined extends Finding {
  readonly name: string;
  readonly title: string;
  readonly seconds: number;
}

export interface Choice {
  /** @default all */
  readonly only?: readonly string[];
  readonly skip?: readonly string[];
  /** Leaves out what takes minutes on a slow line. */
  readonly quick?: boolean;
}

/** Runs the probes that are chosen, one after the other, and tells of each as it ends. */
export async function examine(
  deployment: Deployment,
  probes: readonly Probe[],
  choice: Choice,
  tell: (examined: Examined) => void,
): Promise<readonly Examined[]> {
  const all: Examined[] = [];
  for (const probe of probes) {
    if (deployment.options.signal?.aborted) break;
    if (choice.only && !choice.only.includes(probe.name)) continue;
    const started = performance.now();
    const finding = leftOut(probe, choice) ?? (await run(probe, deployment));
    const seconds = Math.round(performance.now() - started) / 1000;
    const { name, title } = probe;
    const examined = { name, title, ...finding, seconds };
    all.push(examined);
    tell(examined);
  }
  return all;
}

function leftOut({ name, isLong }: Probe, { only, skip, quick }: Choice): Finding | undefined {
  if (skip?.includes(name)) return skipped('left out by --skip');
  if (quick && isLong && !only) return skipped('left out by --quick');
  return undefined;
}

async function run(probe: Probe, deployment: Deployment): Promise<Finding> {
  try {
    if (probe.needs !== 'nothing') {
      const hindrance = await deployment.hindrance();
      if (hindrance !== undefined) return skipped(hindrance);
    }
    if (probe.needs === 'front door') await deployment.requireFront();
    return await probe.run(deployment);
  } catch (error) {
    return findingOf(error);
  }
}
