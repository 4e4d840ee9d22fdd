import { runPage } from '../page/page.ts';
import type { Errand } from './errand.ts';
import { logins } from './logins.ts';
import { partialPull } from './partial-pull.ts';
import { proxy } from './proxy.ts';
import { regsync } from './regsync.ts';
import { wake } from './wake.ts';

/** Every errand, in the order in which they are run. */
export const ERRANDS: readonly Errand[] = [
  { name: 'page', run: runPage },
  regsync,
  logins,
  partialPull,
  wake,
  proxy,
];
