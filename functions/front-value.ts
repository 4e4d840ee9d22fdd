import type { KeyRing } from './auth/signing-keys.ts';
import type { FrontSettings } from './environment.ts';
import { MAX_FRONT_VALUE_BYTES } from './limits.ts';

/** All that the front door has to know, as it reads it under `FRONT_STORE_KEY`; throws where CloudFront would not take
 *  it, and quotes no secret. */
export function encodeFrontValue(ring: KeyRing, settings: FrontSettings): string {
  const keys = ring.map(({ id, secret }) => ({ id, secret: Buffer.from(secret).toString('base64url') }));
  const text = JSON.stringify({ keys, ...settings });
  const bytes = Buffer.byteLength(text);
  if (bytes <= MAX_FRONT_VALUE_BYTES) return text;
  throw new Error(
    `what the front door has to know is ${bytes} bytes long, and CloudFront takes ${MAX_FRONT_VALUE_BYTES}: ` +
      'give the registry a shorter public URL',
  );
}

/** Reads what a stack tells of a front door; throws for anything else. */
export function parseFrontSettings(text: string): FrontSettings {
  const { stream, url } = settingsIn(text);
  const isStream = typeof stream === 'boolean' || stream === 'wake';
  if (!isStream || (url !== undefined && typeof url !== 'string')) {
    throw new Error(`these are no settings of a front door: ${text}`);
  }
  return { stream, ...(url !== undefined && { url }) };
}

function settingsIn(text: string): { readonly stream?: unknown; readonly url?: unknown } {
  try {
    return Object(JSON.parse(text)) as { stream?: unknown; url?: unknown };
  } catch {
    return {};
  }
}
