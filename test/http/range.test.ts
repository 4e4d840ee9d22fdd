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

  it.each([null, '', 'bytes', 'bytes=', 'bytes=a-b', 'bytes=0-1,x', 'items=0-1', 'bytes=1', 'bytes=--1'])(
    'that is %j may be ignored, and is',
    (header) => expect(parseRange(header, 10)).toEqual({ is: 'whole' }),
  );

  it.each(['Bytes=0-4', 'BYTES=0-4', 'bytes=0-4,', 'bytes=, 0-4 ,,'])(
    'is read as RFC 9110 has it: %j, in any case and with empty places',
    (header) => expect(parseRange(header, 10)).toEqual({ is: 'part', first: 0, last: 4 }),
  );

  const several = (...parts: readonly (readonly [number, number])[]) => ({
    is: 'parts',
    parts: parts.map(([first, last]) => ({ first, last })),
  });

  it.each([
    ['0-1,3-4', several([0, 1], [3, 4])],
    ['3-4, 0-1', several([3, 4], [0, 1])], // as they were asked for
    ['0-1,2-4', several([0, 1], [2, 4])], // what is beside each other stays apart: clients count the parts
    ['0-4,3-6', several([0, 6])],
    ['5-6,0-4,3-5', several([0, 6])],
    ['0-1,-2', several([0, 1], [8, 9])],
    ['0-1,20-30', several([0, 1])],
    ['0-1,7-', several([0, 1], [7, 9])],
    ['20-30,5-4', { is: 'unsatisfiable' }],
  ])('may be several: %s', (list, range) => expect(parseRange(`bytes=${list}`, 10)).toEqual(range));

  it('is a thousand at most', () => {
    const list = (count: number) => Array.from({ length: count }, (_, n) => `${2 * n}-${2 * n}`).join();
    expect(parseRange(`bytes=${list(1024)}`, 5000)).toMatchObject({ is: 'parts' });
    expect(parseRange(`bytes=${list(1025)}`, 5000)).toEqual({ is: 'unsatisfiable' });
  });

  it('of whatever list asks for no byte twice, and for every byte that was asked for', () => {
    const range = fc.tuple(fc.nat(30), fc.nat(30)).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`);
    fc.assert(
      fc.property(
        fc.array(range, { minLength: 2, maxLength: 8 }),
        fc.integer({ min: 1, max: 25 }),
        (list, size) => {
          const asked = new Set(
            list.flatMap((one) => numbers(...(one.split('-').map(Number) as [number, number]))),
          );
          const wanted = [...asked].filter((n) => n < size).sort((a, b) => a - b);
          const found = parseRange(`bytes=${list.join()}`, size);
          const parts = found.is === 'parts' ? found.parts : [];
          expect(found.is).toBe(wanted.length === 0 ? 'unsatisfiable' : 'parts');
          const got = parts.flatMap(({ first, last }) => numbers(first, last));
          expect(got.toSorted((a, b) => a - b)).toEqual(wanted);
        },
      ),
    );
  });
});

const numbers = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

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
