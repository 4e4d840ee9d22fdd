/** A Markdown table as the formatter of this repository writes one; every column from `firstNumber` on is
 *  aligned to the right. */
export function table(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  firstNumber: number,
): string {
  const columns = titles.map((title, column) => {
    const cells = [title, ...rows.map((row) => row[column] ?? '')];
    const width = Math.max(3, ...cells.map((cell) => cell.length));
    return column < firstNumber ? leftColumn(cells, width) : rightColumn(cells, width);
  });
  const lines = Array.from({ length: rows.length + 2 }, (_, line) => columns.map((column) => column[line]));
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n');
}

function leftColumn([title = '', ...cells]: readonly string[], width: number): string[] {
  return [title.padEnd(width), '-'.repeat(width), ...cells.map((cell) => cell.padEnd(width))];
}

function rightColumn([title = '', ...cells]: readonly string[], width: number): string[] {
  return [title.padStart(width), `${'-'.repeat(width - 1)}:`, ...cells.map((cell) => cell.padStart(width))];
}
