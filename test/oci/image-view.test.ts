import { describe, expect, it } from 'vitest';
import { imageContentOf } from '../../functions/oci/image-view.ts';

const contentOf = (history: readonly object[]) =>
  imageContentOf([], new TextEncoder().encode(JSON.stringify({ history })));

describe('a line of the history', () => {
  it.each([
    ['RUN /bin/sh -c npm ci # buildkit', 'RUN npm ci'],
    ['COPY a b   # buildkit', 'COPY a b'],
    ['COPY a b# buildkit', 'COPY a b'],
    ['ENV A="# buildkit" ', 'ENV A="# buildkit"'],
  ])('%j is read as %j', (created_by, line) => {
    expect(contentOf([{ created_by, empty_layer: true }]).emptyLines).toEqual([{ at: 0, line }]);
  });

  it('of nothing but blanks takes no longer than any other: others wait meanwhile', () => {
    const history = Array.from({ length: 100 }, () => ({ created_by: `${' '.repeat(9999)}x` }));
    const started = performance.now();
    contentOf(history);
    expect(performance.now() - started).toBeLessThan(1000); // it took ten seconds
  });
});
