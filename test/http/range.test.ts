import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseContentRange, parseRange } from '../../functions/http/range.ts';

describe('Range', () => {
  it('is a part that lies within the body and holds what was asked for, or says that there is none', () => {
    const bound = fc.option(fc.nat(30), { nil: '' as const });
    fc.assert(
      fc.property(bound, bound, fc.nat(25), (from, to, size) => {
        const bytes = Array.from({ length: size }, (_, n) => n);
        const asked = wanted(bytes, from, to);
        const range = parseRange(`bytes=${from}-${to}`, size);
        if (from === '' && to === '') expect(range).toEqual({ is: 'whole' });
        else if (asked.length === 0) expect(range).toEqual({ is: 'unsatisfiable' });
        else expect(range).toEqual({ is: 'part', first: asked[0], last: asked.at(-1) });
      }),
    );
  });

  it.each([null, '', 'bytes', 'bytes=', 'bytes=a-b', 'bytes=0-1,3-4', 'items=0-1', 'bytes=1', 'bytes=--1'])(
    'that is %j may be ignored, and is',
    (header) => expect(parseRange(header, 10)).toEqual({ is: 'whole' }),
  );

  it.each(['Bytes=0-4', 'BYTES=0-4', 'bytes=0-4,', 'bytes=, 0-4 ,,'])(
    'is read as RFC 9110 has it: %j, in any case and with empty places',
    (header) => expect(parseRange(header, 10)).toEqual({ is: 'part', first: 0, last: 4 }),
  );
});

function wanted(bytes: number[], from: number | '', to: number | ''): number[] {
  if (from === '') return to === '' || to === 0 ? [] : bytes.slice(-to);
  return bytes.slice(from, to === '' ? undefined : to + 1);
}

describe('Content-Range of a chunk', () => {
  it.each([
    ['0-0', 0, 1],
    ['10-19', 10, 10],
    ['bytes 10-19/100', 10, 10],
    ['bytes 0-4/*', 0, 5],
  ])('may be %s', (header, first, length) => expect(parseContentRange(header)).toEqual({ first, length }));

  it.each(['', '5', '5-', '-5', '9-5', 'a-b', '0-1,2-3', '0-99999999999999999999', 'bytes=0-1'])(
    'may not be %j',
    (header) => {
      expect(parseContentRange(header)).toBeUndefined();
    },
  );
});
