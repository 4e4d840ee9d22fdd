import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { faultsIn } from '../../functions/management/retention-checks.ts';
import { Retention as Schema } from '../../functions/management/retention-schema.ts';
import type { Retention } from '../../functions/registry/retention-policy.ts';
import { DAY, type MadeImage, NOW, runRetention } from './retention-world.ts';

// The examples of docs/retention-rules.md are run as they stand there.

const page = readFileSync(new URL('../../docs/retention-rules.md', import.meta.url), 'utf8');

const cells = (line: string) =>
  line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
const inTicks = (cell: string) => [...cell.matchAll(/`([^`]*)`/g)].map(([, text]) => text ?? '');

interface Row {
  readonly image: MadeImage;
  readonly stays: boolean;
}

function rowOf(header: readonly string[], line: string, index: number): Row {
  const found = Object.fromEntries(cells(line).map((cell, at) => [header[at], cell]));
  const { createdDaysAgo, ...image } = JSON.parse(inTicks(found['Image'] ?? '')[0] ?? '{}');
  const pulled = Number(found['Pulled'] ?? 'never');
  return {
    stays: found['Outcome'] === 'stays',
    image: {
      ...{ name: `image-${index}`, tags: inTicks(found['Tags'] ?? ''), days: Number(found['Days ago']) },
      ...(!Number.isNaN(pulled) && { pulledDays: pulled }),
      image: { ...image, ...(createdDaysAgo !== undefined && { createdAt: NOW - createdDaysAgo * DAY }) },
    },
  };
}

const EXAMPLE = /^## ([^\n]*)|```json\n(.*?)```\n\n(\|.*?)\n\n/gms;

let section = '';
const examples = [...page.matchAll(EXAMPLE)].flatMap(([, title, json, table]) => {
  section = title ?? section;
  if (json === undefined || table === undefined) return [];
  const [header = '', , ...lines] = table.split('\n');
  return [
    {
      section,
      retention: JSON.parse(json) as Retention,
      rows: lines.map((line, index) => rowOf(cells(header), line, index)),
    },
  ];
});

it('has an example of each clause', () => {
  const said = JSON.stringify(examples.map(({ retention }) => retention));
  const clauses = [
    ...[
      'pins',
      'match',
      'except',
      'where',
      'labels',
      'artifactTypes',
      'by',
      'with',
      'keepLast',
      'keepLastPulled',
      'keepHighest',
    ],
    ...[
      'per',
      'among',
      'keepNewerThanDays',
      'keepPulledWithinDays',
      'keepCreatedWithinDays',
      'keepNone',
      'untagged',
    ],
  ];
  expect(clauses.filter((clause) => !said.includes(`"${clause}"`))).toEqual([]);
});

it.each(examples)('$section: the example does what its table says', ({ retention, rows }) => {
  expect(Schema.safeParse(retention)).toMatchObject({ success: true });
  expect(faultsIn(retention)).toEqual([]);
  const policies = [{ name: 'p', repositories: ['*'], retention }];
  const left = runRetention(
    policies,
    rows.map(({ image }) => image),
  );
  const staying = rows.filter(({ stays }) => stays).map(({ image }) => image);
  expect(left.tags).toEqual(staying.flatMap(({ tags }) => tags).sort());
  const untagged = ({ tags }: MadeImage) => tags.length === 0;
  const names = (images: readonly MadeImage[]) => images.filter(untagged).map(({ name }) => name);
  expect(
    left.images.filter((name) => rows.some(({ image }) => image.name === name && untagged(image))),
  ).toEqual(names(staying).sort());
});
