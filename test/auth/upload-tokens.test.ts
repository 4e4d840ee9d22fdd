import { createHmac } from 'node:crypto';
import { expect, it } from 'vitest';
import { KEY_ACTIVATION_MS, type KeyRing, newSigningKey } from '../../functions/auth/signing-keys.ts';
import { UploadTokens } from '../../functions/auth/upload-tokens.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import type { ObjectKey } from '../../functions/storage/blob-store.ts';

// The form is a contract with the front door, which is another program in another language.

const NOW = Date.UTC(2026, 0, 1);
const OBJECT = '0a1b2c3d-0000-4000-8000-000000000000';
const grant = {
  repository: 'team/app' as RepositoryName,
  session: 'a-session',
  objectKey: `blobs/${OBJECT}` as ObjectKey,
  principal: 'user:alice',
};

const issue = (ring: KeyRing, changes: Partial<typeof grant> = {}) =>
  new UploadTokens({ keys: { keys: async () => ring, reload: async () => ring }, now: () => NOW }).issue({
    ...grant,
    ...changes,
  });

it('names its key, its end in an hour and its object, and signs these and what it is for', async () => {
  const key = newSigningKey(NOW - KEY_ACTIVATION_MS);
  const expires = NOW / 1000 + 3600;
  const text = `upload\nteam/app\na-session\nblobs/${OBJECT}\n${expires}\nuser:alice`;
  const mac = createHmac('sha256', key.secret).update(text).digest('base64url');
  expect(await issue([key])).toBe(`${key.id}.${expires}.${OBJECT}.${mac}`);
});

it('is another for another repository, session, object or principal', async () => {
  const ring = [newSigningKey(NOW)];
  const macOf = (token: string) => token.slice(token.lastIndexOf('.'));
  const tokens = await Promise.all([
    issue(ring),
    issue(ring, { repository: 'team/other' as RepositoryName }),
    issue(ring, { session: 'another' }),
    issue(ring, { objectKey: 'blobs/another' as ObjectKey }),
    issue(ring, { principal: 'user:bob' }),
  ]);
  expect(new Set(tokens.map(macOf)).size).toBe(tokens.length);
});

it('is signed with the key that everybody knows, not with one that was just made', async () => {
  const [fresh, old] = [newSigningKey(NOW), newSigningKey(NOW - KEY_ACTIVATION_MS)];
  expect((await issue([fresh, old])).startsWith(`${old.id}.`)).toBe(true);
});

it('goes into a query as it is', async () => {
  const token = await issue([newSigningKey(NOW)]);
  expect(encodeURIComponent(token)).toBe(token);
});
