import { describe, expect, it } from 'vitest';
import { newSigningKey } from '../../functions/auth/signing-keys.ts';
import { encodeFrontValue } from '../../functions/front-value.ts';

describe('what the front door is told', () => {
  const ring = (length: number) => Array.from({ length }, (_, index) => newSigningKey(index));

  it('is the signing keys and nothing else: how it is laid out comes with the distribution', () => {
    expect(Object.keys(JSON.parse(encodeFrontValue(ring(2))))).toEqual(['keys']);
  });

  it('has to fit into a value of CloudFront, and an error says what is too much', () => {
    expect(encodeFrontValue(ring(8)).length).toBeLessThan(1024);
    expect(() => encodeFrontValue(ring(20))).toThrow(
      /^what the front door has to know is \d{4} bytes long, and CloudFront takes 1024: 20 signing keys are too many$/,
    );
  });
});
