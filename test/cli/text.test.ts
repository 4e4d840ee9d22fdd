import { expect, it } from 'vitest';
import { facts, printable, sizeText, table } from '../../cli/text.ts';

it('aligns columns by the cells that text takes, not by its characters', () => {
  const text = table(
    ['NAME', 'WHAT'],
    [
      ['日本', 'a'],
      ['e\u0301', 'b'],
      ['🚢', ''],
      ['plain', 'c'],
    ],
  );
  expect(text).toBe('NAME   WHAT\n日本   a\ne\u0301      b\n🚢     -\nplain  c\n');
});

it('shows nothing that could move the cursor, or turn the direction of the text', () => {
  expect(printable('a\u001b[2Jb\r\nc\u009bd\u202ee')).toBe('a\ufffd[2Jb\ufffd\ufffdc\ufffdd\ufffde');
  expect(facts([['name', 'a\nadmin: yes']])).toBe('name:  a\ufffdadmin: yes\n');
});

it('takes the names of facts for text of others, too: labels of an image have any', () => {
  expect(facts([['label a\u001b[2J', 'b']])).toBe('label a\ufffd[2J:  b\n');
  const text = facts([
    ['label 日本', 'a'],
    ['user', 'b'],
  ]);
  expect(text).toBe('label 日本:  a\nuser:        b\n');
});

it('leaves out facts that are not known', () => {
  expect(
    facts([
      ['name', 'a'],
      ['description', ''],
      ['valid until', undefined],
    ]),
  ).toBe('name:  a\n');
});

it('shows sizes in units of 1024', () => {
  expect([0, 1023, 1024, 1536 * 1024, 5 * 2 ** 40].map(sizeText)).toEqual([
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 MiB',
    '5.0 TiB',
  ]);
});
