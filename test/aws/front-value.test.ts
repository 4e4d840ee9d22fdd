import { describe, expect, it } from 'vitest';
import { newSigningKey } from '../../functions/auth/signing-keys.ts';
import { encodeFrontValue, parseFrontSettings } from '../../functions/front-value.ts';

describe('what the front door is told', () => {
  const settings = { stream: true, url: 'https://registry.test' };
  const keys = [newSigningKey(0), newSigningKey(1)];

  it('has to fit into a value of CloudFront, and an error says what to change', () => {
    const longest = encodeFrontValue(keys, { ...settings, url: `https://${'a'.repeat(700)}.test` });
    expect(longest.length).toBeLessThan(1024);
    expect(() => encodeFrontValue(keys, { ...settings, url: `https://${'a'.repeat(900)}.test` })).toThrow(
      /^what the front door has to know is \d{4} bytes long, and CloudFront takes 1024: give .* shorter public URL$/,
    );
  });

  it('leaves at least 700 bytes for the public URL', () => {
    const url = `https://${'a'.repeat(692)}`;
    expect(parseFrontSettings(encodeFrontValue(keys, { stream: false, url }))).toEqual({
      stream: false,
      url,
    });
  });

  it.each(['', 'null', '[]', '{"stream":"yes"}', '{"stream":true,"url":1}'])(
    'cannot be read from %j',
    (text) => {
      expect(() => parseFrontSettings(text)).toThrow('no settings of a front door');
    },
  );
});
