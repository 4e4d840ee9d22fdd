import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPage, type Page } from '../functions/ui/page.ts';

/** Named so that no bundler follows it: a host in a bundle has no page of its own. */
const BUILD = new URL('../ui/build.ts', import.meta.url).href;

/** Answers the folder of the page; `cache` is where it is built. */
type Build = (cache?: string) => string;

/** The web page, built where these sources never were; `undefined`, and a word to the operator, where it cannot be. */
export async function localPage(tell: (what: string) => void): Promise<Page | undefined> {
  try {
    const { builtPage } = (await import(BUILD)) as { builtPage: Build };
    return pageBy(builtPage);
  } catch (error) {
    tell(
      `the web page could not be built, and is left out: ${error instanceof Error ? error.message : error}`,
    );
    return undefined;
  }
}

/** Where the checkout cannot be written, it is built for this process alone. */
function pageBy(build: Build): Page | undefined {
  try {
    return openPage(build());
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    return pageInMemory(build);
  }
}

/** Nothing of it is left on the disk, where others clean up or write. */
function pageInMemory(build: Build): Page | undefined {
  const work = mkdtempSync(join(tmpdir(), 'stowage-page-'));
  try {
    const folder = build(work);
    const files = new Map(
      readdirSync(folder).map((name) => [
        join(folder, name),
        new Uint8Array(readFileSync(join(folder, name))),
      ]),
    );
    return openPage(folder, async (path) => files.get(path));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
