import type { Policy } from '../registry/policies.ts';
import type { Sweep } from './stage.ts';

/** Whether the policies that cover the repository may act now. */
export async function mayRetain(_sweep: Sweep, _policies: readonly Policy[]): Promise<boolean> {
  return true;
}
