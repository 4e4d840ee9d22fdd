/** Who did something: a policy's retention by its name. */
export const byText = (by: string | undefined) =>
  by?.startsWith('retention:') ? `retention (policy ${by.slice('retention:'.length)})` : by;

/** What moves a terminal's cursor, or makes text look like other text. */
const DANGEROUS = /[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** Text that others chose (a description, a user agent), on one line and harmless to a terminal. */
export const printable = (text: string) => text.replaceAll(DANGEROUS, '\ufffd');

const segmenter = new Intl.Segmenter();
const INVISIBLE = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;
const WIDE =
  /^(?:\p{Emoji_Presentation}|\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|[\u3000-\u303f\uff01-\uff60\uffe0-\uffe6])|\ufe0f/u;

/** How many cells of a terminal the text takes. */
function widthOf(text: string): number {
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += cellsOf(segment);
  return width;
}

function cellsOf(segment: string): number {
  if (INVISIBLE.test(segment)) return 0;
  return WIDE.test(segment) ? 2 : 1;
}

const pad = (text: string, width: number) => text + ' '.repeat(width - widthOf(text));

const GAP = '  ';
const NOTHING = '-';

/** Rows under their headings, in columns as wide as their widest cell. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [headings, ...rows.map((row) => row.map((cell) => printable(cell) || NOTHING))];
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => widthOf(line[column] ?? ''))));
  return lines
    .map((line) => line.map((cell, column) => pad(cell, widths[column] ?? 0)).join(GAP))
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}

/** One thing: what is known of it, a line each; what is not known is left out. */
export function facts(entries: readonly (readonly [label: string, value: string | undefined])[]): string {
  const known = entries
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([label, value = '']) => [`${printable(label)}:`, printable(value)] as const);
  const width = Math.max(...known.map(([label]) => widthOf(label)));
  return known.map(([label, value]) => `${pad(label, width)}${GAP}${value}\n`).join('');
}

/** `2026-11-24 20:18`, in UTC. */
export const timeText = (iso: string | undefined) => (iso ?? '').slice(0, 16).replace('T', ' ');

/** `2026-11-24`, in UTC. */
export const dayText = (iso: string | undefined) => (iso ?? '').slice(0, 10);

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

export function sizeText(bytes: number): string {
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), UNITS.length - 1);
  const amount = bytes / 1024 ** power;
  return `${power === 0 ? amount : amount.toFixed(1)} ${UNITS[power]}`;
}
