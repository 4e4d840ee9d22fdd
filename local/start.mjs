// What `npm start` runs: the registry, from sources that the first start has stripped of their types and compiled, which
// is half of what a start takes. Plain JavaScript, because the cache cannot hold what turns it on, and for a Node that is too old,
// or Windows, to say so.
import module from 'node:module';
import { join } from 'node:path';
import { isTooOld, isWindows } from './own-node.mjs';

if (isWindows() || isTooOld()) process.exit(1);
// Whoever could put something into this cache could change the sources beside it. Where it cannot be written, a start is
// slower, and nothing else.
module.enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/stowage'));
const { settingsText, withOptions } = await import('./options.ts');
const words = process.argv.slice(2);
if (words.includes('--help') || words.includes('-h')) process.stdout.write(settingsText());
else if (take(words)) await import('./main.ts');

/** Options become variables; answers whether they could. */
function take(words) {
  try {
    Object.assign(process.env, withOptions(words, process.env));
    return true;
  } catch (error) {
    process.stderr.write(`stowage: ${error.message}\n--help lists what there is\n`);
    process.exitCode = 2;
    return false;
  }
}
