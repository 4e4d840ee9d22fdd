import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { asMarkdown, asText, problems, totalOf } from './report.ts';
import { type Results, readResults } from './results.ts';

const YAML = `config:
  apis:
    ping: true
  data:
    image: true
apis:
  Blob get: Pass
  Tag delete: Skip
data:
  Blobs sha256: FAIL
  Sparse Manifests: Disabled
`;

const XML = `<testsuites tests="5" failures="1" skipped="1" disabled="1">
  <testsuite name="OCI Conformance Test" tests="5" failures="1" errors="0" disabled="1" skipped="1" time="1.0">
    <testcase name="OCI Conformance Test/ping" classname="" time="0.1" status="passed">
      <system-err>GET /v2/&#xA;</system-err>
    </testcase>
    <testcase name="OCI Conformance Test/image/push/blob" classname="" time="0.1" status="passed"></testcase>
    <testcase name="OCI Conformance Test/image/tag-delete" classname="" time="0.1" status="skipped"></testcase>
    <testcase name="OCI Conformance Test/image/range" classname="" time="0.1" status="failure">
      <system-out>expected &#34;416&#34;,&#xA;received &lt;200&gt;</system-out>
    </testcase>
    <testcase name="OCI Conformance Test/image/cancel" classname="" time="0.1" status="skipped"></testcase>
  </testsuite>
</testsuites>`;

let directory: string;
let results: Results;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stowage-results-'));
  await writeFile(join(directory, 'results.yaml'), YAML);
  await writeFile(join(directory, 'junit.xml'), XML);
  results = await readResults({ target: 'embedded', version: '1.1' }, directory);
});

afterAll(async () => {
  await rm(directory, { recursive: true });
});

it('counts checks, and does not count what is disabled as passed', () => {
  expect(results.counts).toEqual({ passed: 2, failed: 1, skipped: 1, disabled: 1 });
  expect(totalOf([results, results])).toEqual({ passed: 4, failed: 2, skipped: 2, disabled: 2 });
});

it('reads the verdicts on APIs and data sets, and not the configuration above them', () => {
  expect([...results.apis]).toEqual([
    ['Blob get', 'Pass'],
    ['Tag delete', 'Skip'],
  ]);
  expect([...results.dataSets]).toEqual([
    ['Blobs sha256', 'FAIL'],
    ['Sparse Manifests', 'Disabled'],
  ]);
});

it('names every failure and every skip with its reason, and what is disabled for no known reason', () => {
  const found = problems([results]);
  expect(found).toContain('embedded 1.1: Tag delete: Skip');
  expect(found).toContain('embedded 1.1: Blobs sha256: FAIL');
  expect(found).toContain('embedded 1.1: image/range: failure: expected "416", received <200>');
  expect(found.join('\n')).not.toContain('Sparse');
  const apis = new Map([['Blob get', 'Disabled' as const]]);
  expect(problems([{ ...results, apis }])).toContain('embedded 1.1: Blob get: Disabled');
});

it('prints tables as text and, with a column for each target, as Markdown', () => {
  expect(asText([results])).toContain('embedded  1.1      2       1       1        1');
  expect(asText([results])).toMatch(/^image +1 \/ 1 \/ 2$/m);
  const both = [results, { ...results, target: 'front' }];
  const page = asMarkdown({ results: both, program: 'go run example', date: '2026-11-23' });
  expect(page).toContain('| front    | 1.1     | 2      | 1      | 1       | 1        |');
  expect(page).toContain('| API        | embedded 1.1 | front 1.1 |');
  expect(page).toContain('| Tag delete | Skip         | Skip      |');
  expect(page).toContain('- **Sparse Manifests**: off by the program');
});
