/** A fenced block of docs/clients.md. */
export interface Block {
  /** Whose commands these are: what stands after `sh`, else the title of the section. */
  readonly part: string;
  /** `commands` are run in order, a `file` is written first, of `other` the page itself says that it is not run. */
  readonly is: 'commands' | 'file' | 'other';
  /** Of a file, its path. */
  readonly path: string;
  readonly text: string;
  /** Of its first line. */
  readonly line: number;
}

const FENCE = /^```(\w*) ?(\S*)$/;
const NOT_RUN = /^\*Not run here\b/;

/** The blocks of the page. Throws for one that nobody would run and that does not say so. */
export function blocksOf(page: string): Block[] {
  return page.split(/^(?=## )/m).flatMap((section, index, sections) => {
    const before = sections.slice(0, index).join('').split('\n').length;
    return blocksIn(section.split('\n'), before);
  });
}

function blocksIn(lines: readonly string[], first: number): Block[] {
  const title = (lines[0] ?? '').replace('## ', '');
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    const [fence, language = '', name = ''] = FENCE.exec(lines[at] ?? '') ?? [];
    if (fence === undefined) continue;
    const line = first + at;
    const end = lines.indexOf('```', at + 1);
    if (end < 0) throw new Error(`line ${line}: the block has no end`);
    const isMarked = NOT_RUN.test(paragraphBefore(lines, at));
    const is = kindOf({ language, name, isMarked, line });
    const names = is === 'file' ? { part: title, path: name } : { part: name || title, path: '' };
    blocks.push({ ...names, is, text: `${lines.slice(at + 1, end).join('\n')}\n`, line });
    at = end;
  }
  return blocks;
}

/** The lines above, as far as the next empty one. */
function paragraphBefore(lines: readonly string[], at: number): string {
  const above = lines.slice(0, at).join('\n').trimEnd();
  return above.slice(above.lastIndexOf('\n\n') + 1).trimStart();
}

interface Fence {
  readonly language: string;
  readonly name: string;
  /** Whether the paragraph before it says that it is not run. */
  readonly isMarked: boolean;
  readonly line: number;
}

function kindOf({ language, name, isMarked, line }: Fence): Block['is'] {
  if (isMarked) return 'other';
  if (language === 'sh') return 'commands';
  if (name !== '') return 'file';
  throw new Error(
    `line ${line}: what is run is sh or has the name of a file; else *Not run here: …* before it`,
  );
}
