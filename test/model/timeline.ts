import type { Line } from './explorer.ts';

/** A timeline as docs/concurrency.md has them: a column for each actor, a row for each step. */
export function tableOf(timeline: readonly Line[]): string {
  const actors = [...new Set(timeline.map(({ actor }) => actor))];
  const rows = timeline.map(({ actor, says, failed }) => [
    ...actors.map((other) => (other === actor ? says : '')),
    failed ? '**fails**' : '',
  ]);
  return [[...actors, ''], [...actors, ''].map(() => '---'), ...rows]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}
