import { expect } from 'vitest';
import { ERROR_CODES } from '../wire/row.ts';

/** What holds for every answer whatever was asked: no 5xx, and refusals in the specification's form. */
export async function expectSoundAnswer(response: Response, asked: string): Promise<void> {
  const bytes = await response.arrayBuffer();
  const text = new TextDecoder().decode(bytes.slice(0, 2000));
  const about = `${asked} -> ${response.status} ${text}`;
  expect(response.status, about).toBeLessThan(500);
  if (response.status < 400 || bytes.byteLength === 0) return;
  if (!response.headers.get('content-type')?.startsWith('application/json')) return;
  const { errors } = JSON.parse(new TextDecoder().decode(bytes)) as { errors: { code: string }[] };
  expect(errors.length, about).toBeGreaterThan(0);
  for (const { code } of errors) expect(ERROR_CODES, about).toContain(code);
}
