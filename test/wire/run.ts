import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ANSWER_HEADERS } from '../../functions/environment.ts';
import { type Answer, contentBytes, exchange, fill, type Names, pathOf, type Target } from './exchange.ts';
import { type Call, ERROR_CODES, type Expectation, type Step } from './row.ts';
import { WIRE_TABLE } from './table.ts';

interface ErrorBody {
  readonly errors: readonly { code: string; message?: string; detail?: unknown }[];
}

/** Registers one test per row of the table. Rows share the target and nothing else. */
export function runWireTable(target: Target): void {
  describe.each(WIRE_TABLE)('$about', ({ rows }) => {
    it.each(rows)('$title', async ({ steps }) => {
      const id = randomBytes(6).toString('hex');
      const names: Names = new Map([
        ['repo', `wire/${id}/a`],
        ['other', `wire/${id}/b`],
      ]);
      for (const call of calls(steps)) {
        const answer = await exchange(target, call, names);
        check(call, answer, names);
      }
    });
  });
}

function calls(steps: readonly Step[]): readonly Call[] {
  return steps.flatMap((step) => ('send' in step ? [step] : calls(step)));
}

function check(call: Call, answer: Answer, names: Names): void {
  const text = answer.bytes.length < 10_000 ? new TextDecoder().decode(answer.bytes) : '(long body)';
  const about = `${fill(call.send, names)} -> ${answer.status} ${text}`;
  expect(answer.status, about).toBe(call.expect.status);
  for (const [name, value] of Object.entries(ANSWER_HEADERS)) {
    // What follows a redirect may be a store's own answer.
    expect(answer.hops[0]?.get(name), `${about}: ${name}`).toBe(value);
  }
  checkHeaders(about, answer, call.expect, names);
  if (!call.send.startsWith('HEAD ')) {
    checkBody(about, answer, call.expect, names);
  } else if (answer.status < 400) {
    expect(answer.bytes.length, `${about}: the body of a HEAD`).toBe(0);
  }
}

function checkHeaders(about: string, { hops }: Answer, { headers = {} }: Expectation, names: Names): void {
  for (const [name, expected] of Object.entries(headers)) {
    const values = hops.map((hop) => hop.get(name)).filter((value) => value !== null);
    if (expected === undefined) {
      expect(values, `${about}: ${name}`).toEqual([]);
    } else {
      const seen = name === 'Location' && typeof expected === 'string' ? values.map(pathOf) : values;
      const wanted = typeof expected === 'string' ? fill(expected, names) : expect.stringMatching(expected);
      expect(seen, `${about}: ${name}`).toContainEqual(wanted);
    }
  }
}

function checkBody(about: string, answer: Answer, expected: Expectation, names: Names): void {
  if (expected.body !== undefined) {
    const same = Buffer.compare(answer.bytes, contentBytes(expected.body)) === 0;
    expect(same, `${about}: ${answer.bytes.length} bytes, not the ones expected`).toBe(true);
  }
  if (expected.parts !== undefined) {
    const [, boundary = ''] = /boundary=(.*)$/.exec(answer.hops.at(-1)?.get('content-type') ?? '') ?? [];
    const body = Buffer.from(answer.bytes).toString().replaceAll(boundary, 'BOUNDARY');
    expect(body, about).toBe(Buffer.from(expected.parts.bytes).toString());
  }
  if (expected.json !== undefined) {
    expect(parse(about, answer), about).toEqual(JSON.parse(fill(JSON.stringify(expected.json), names)));
  }
  if (expected.referrers !== undefined) checkReferrers(about, answer, expected.referrers);
  if (answer.status >= 400) checkErrors(about, answer, expected);
}

function checkReferrers(about: string, answer: Answer, expected: readonly { digest: string }[]): void {
  const index = parse(about, answer) as { manifests?: { digest: string }[] };
  expect(index, about).toMatchObject({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: expect.any(Array),
  });
  const byDigest = (a: { digest: string }, b: { digest: string }) => (a.digest < b.digest ? -1 : 1);
  expect(index.manifests?.toSorted(byDigest), about).toEqual(expected.toSorted(byDigest));
}

/** Every refusal has the specification's form. Only an unsatisfiable range may come without a body. */
function checkErrors(about: string, answer: Answer, expected: Expectation): void {
  if (answer.status === 416 && answer.bytes.length === 0) return;
  expect(answer.hops.at(-1)?.get('content-type'), about).toMatch(/^application\/json\b/);
  const { errors } = parse(about, answer) as ErrorBody;
  expect(errors.length, about).toBeGreaterThan(0);
  for (const error of errors) {
    expect(ERROR_CODES, about).toContain(error.code);
    expect(error.code, about).toBe(expected.code ?? error.code);
    expect(typeof error.message, about).toBe('string');
  }
  if (expected.message !== undefined) expect(errors[0]?.message, about).toContain(expected.message);
  if (expected.details !== undefined) {
    const details = errors.map((error) => error.detail);
    expect(details, about).toHaveLength(expected.details.length);
    expect(details, about).toEqual(expect.arrayContaining([...expected.details]));
  }
}

function parse(about: string, answer: Answer): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(answer.bytes));
  } catch (cause) {
    throw new Error(`${about}: not JSON`, { cause });
  }
}
