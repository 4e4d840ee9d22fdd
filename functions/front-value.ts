import type { KeyRing } from './auth/signing-keys.ts';
import { MAX_FRONT_VALUE_BYTES } from './limits.ts';

/** The signing keys as the front door reads them under `FRONT_STORE_KEY`; throws where CloudFront would not take it, and quotes
 *  no secret. How the front door is laid out is part of its functions and comes with the distribution (lib/edge-functions.ts). */
export function encodeFrontValue(ring: KeyRing): string {
  const keys = ring.map(({ id, secret }) => ({ id, secret: Buffer.from(secret).toString('base64url') }));
  const text = JSON.stringify({ keys });
  const bytes = Buffer.byteLength(text);
  if (bytes <= MAX_FRONT_VALUE_BYTES) return text;
  throw new Error(
    `what the front door has to know is ${bytes} bytes long, and CloudFront takes ${MAX_FRONT_VALUE_BYTES}: ` +
      `${ring.length} signing keys are too many`,
  );
}
