import { openPage, type Page } from '../functions/ui/page.ts';

/** Named so that no bundler follows it: a host in a bundle has no page of its own. */
const BUILD = new URL('../ui/build.ts', import.meta.url).href;

/** The web page, built where these sources never were; `undefined`, and a word to the operator, where it cannot be. */
export async function localPage(tell: (what: string) => void): Promise<Page | undefined> {
  try {
    const { builtPage } = (await import(BUILD)) as { builtPage(): string };
    return openPage(builtPage());
  } catch (error) {
    tell(
      `the web page could not be built, and is left out: ${error instanceof Error ? error.message : error}`,
    );
    return undefined;
  }
}
