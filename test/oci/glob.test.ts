import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { globOf, globProblem, grouperOf, groupProblem } from '../../functions/oci/glob.ts';
import { parseVersion } from '../../functions/oci/version.ts';

/** The other way to say what a pattern means: greedy, as groups are. */
const regexpOf = (pattern: string) =>
  new RegExp(
    `^${pattern
      .replaceAll('.', '\\.')
      .replaceAll('[!', '[^')
      .replace(/\*|\?(?!\])/g, (star) => (star === '*' ? '.*' : '.'))}$`,
    's',
  );

const texts = fc.string({ unit: fc.constantFrom(...'ab1-.'), maxLength: 12 });
const parts = fc.constantFrom('a', 'b', '1', '-', '.', '*', '?', '[ab]', '[a-b1]', '[!a]', '[!0-9]');
const patterns = fc.array(parts, { maxLength: 8 }).map((each) => each.join(''));

describe('a pattern of tags', () => {
  it('matches what it matches as a regular expression', () => {
    fc.assert(
      fc.property(patterns, texts, (pattern, text) => {
        expect(globOf(pattern)(text)).toBe(regexpOf(pattern).test(text));
      }),
      { numRuns: 5000 },
    );
  });

  it('names its group by what a greedy expression does', () => {
    fc.assert(
      fc.property(patterns, patterns, patterns, texts, (before, inside, after, text) => {
        const pattern = `${before}(${inside})${after}`;
        expect(grouperOf(pattern)(text)).toBe(regexpOf(pattern).exec(text)?.[1]);
      }),
      { numRuns: 5000 },
    );
  });

  it('of many stars and sets is matched at once, whatever it is matched against', () => {
    // A regular expression would not come to an end.
    expect(globOf(`${'*[ab]'.repeat(120)}*c*[d]`)('a'.repeat(100_000))).toBe(false);
  });

  it.each([
    ['[a', 'has a [ that nothing closes'],
    ['[]', 'has a [ that nothing closes'],
    ['[z-a]', 'has a range that is empty: z-a'],
    ['(a)', 'has a group, which has no meaning here'],
    ['a)', 'has parentheses that do not match, or more than one pair'],
  ])('says what is wrong with %s', (pattern, problem) => {
    expect(globProblem(pattern)).toBe(problem);
    expect(globOf(pattern)('a')).toBe(false);
  });

  it.each(['*', 'v[0-9]*', '[]a]', '[!]]', '[a-]', '[[]', '[*]'])('may be %s', (pattern) => {
    expect(globProblem(pattern)).toBeUndefined();
  });

  it('takes what is special elsewhere from a set', () => {
    expect(globOf('[*]')('*')).toBe(true);
    expect(globOf('[*]')('a')).toBe(false);
    expect(globOf('[]a]')(']')).toBe(true);
    expect(globOf('[a-]')('-')).toBe(true);
  });

  it('needs one group where it groups', () => {
    expect(groupProblem('(*)-*')).toBeUndefined();
    for (const pattern of ['*', '(a)(b)', '(a', '((a))']) expect(groupProblem(pattern)).toBeDefined();
  });
});

describe('a version', () => {
  const ordered = [
    '0.9.9',
    'v1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-alpha.beta',
    'v1.0.0-beta',
    '1.0.0-beta.2',
    '1.0.0-beta.11',
    '1.0.0-rc.1',
    '1.0.0',
    '1.2.3',
    '1.10.0',
    '2.0.0',
    '10.0.0',
  ];

  it('sorts as the specification says', () => {
    const orders = ordered.map((tag) => parseVersion(tag)?.order ?? tag);
    expect(orders.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(orders);
    expect(new Set(orders).size).toBe(orders.length);
  });

  it('has a major and a minor', () => {
    expect(parseVersion('v1.22.3-rc.1_build.7')).toMatchObject({ major: '1', minor: '1.22' });
  });

  it.each(['latest', '1.2', 'v1', '01.2.3', '1.2.3-', '1.2.3-a..b', '1.2.3.4', 'v1.2.3+x'])(
    'is not %s',
    (tag) => expect(parseVersion(tag)).toBeUndefined(),
  );
});
