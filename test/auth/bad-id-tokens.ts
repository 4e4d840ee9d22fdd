import { randomBytes } from 'node:crypto';
import { generateKeyPair, type JWTPayload, UnsecuredJWT } from 'jose';
import { GITHUB_JOB, signWith, times } from './issuer.ts';
import type { Opened } from './issuer-fixture.ts';

const claiming =
  (claims: (seconds: number) => JWTPayload) =>
  ({ server, fixture, signing }: Opened) =>
    server.sign({ ...GITHUB_JOB, ...claims(Math.floor(fixture.clock / 1000)) }, signing());

/** What makes an ID token that is refused, and what its job and the audit trail are told. */
export const BAD: Readonly<Record<string, readonly [(opened: Opened) => string | Promise<string>, string]>> =
  {
    'that has expired': [
      claiming((now) => ({ iat: now - 600, nbf: now - 600, exp: now - 60 })),
      'the ID token has expired',
    ],
    'that was issued long ago': [
      claiming((now) => ({ iat: now - 25 * 3600, nbf: now - 25 * 3600 })),
      'the ID token is too old',
    ],
    'that begins tomorrow': [
      claiming((now) => ({ nbf: now + 86_400, exp: now + 90_000 })),
      'is not valid yet',
    ],
    'that was issued in the future': [claiming((now) => ({ iat: now + 3600 })), 'is not valid yet'],
    'without a time of issue': [
      ({ server, fixture, signing }) => {
        const { iat: _, ...rest } = times(fixture.clock);
        return server.sign({ ...GITHUB_JOB, ...rest, iat: undefined as unknown as number }, signing());
      },
      'the claim iat of the ID token is missing or wrong',
    ],
    'without a subject': [
      claiming(() => ({ sub: undefined as unknown as string })),
      'the claim sub of the ID token is missing or wrong',
    ],
    'whose subject is no text': [
      claiming(() => ({ sub: { toString: 'root' } as unknown as string })),
      'the claim sub of the ID token is missing or wrong',
    ],
    'whose subject is endless': [
      claiming(() => ({ sub: 'x'.repeat(5000) })),
      'the claim sub of the ID token is missing or wrong',
    ],
    'of an issuer that answers with something else': [
      async ({ server, signing }) => {
        server.discovery = { jwks_uri: 'nowhere' };
        return server.sign(GITHUB_JOB, signing());
      },
      'the keys of the issuer cannot be had now',
    ],
    'that never ends': [
      async ({ server, fixture, signing }) => {
        const { exp: _, ...rest } = times(fixture.clock);
        return server.sign({ ...GITHUB_JOB, ...rest, exp: undefined as unknown as number }, signing());
      },
      'the claim exp of the ID token is missing or wrong',
    ],
    'for another service': [claiming(() => ({ aud: 'sts.amazonaws.com' })), 'is meant for another audience'],
    'of an issuer that is not trusted': [
      claiming(() => ({ iss: 'https://token.actions.githubusercontent.com' })),
      'the issuer of the ID token is not trusted here',
    ],
    'of somebody else': [
      claiming(() => ({ repository: 'evil/app', repository_owner: 'evil' })),
      'no rule of this registry fits the claims of the ID token',
    ],
    'signed with another key of the same name': [
      async ({ server, fixture }) => {
        const { privateKey } = await generateKeyPair('RS256');
        const claims = { iss: server.url, ...times(fixture.clock), ...GITHUB_JOB };
        return signWith(privateKey, claims, { keyId: 'first', algorithm: 'RS256' });
      },
      'the signature of the ID token is wrong',
    ],
    'signed with a key that the issuer does not have': [
      async ({ server, fixture }) => {
        const { privateKey } = await generateKeyPair('RS256');
        const claims = { iss: server.url, ...times(fixture.clock), ...GITHUB_JOB };
        return signWith(privateKey, claims, { keyId: 'unknown', algorithm: 'RS256' });
      },
      'is signed with a key that its issuer does not have',
    ],
    'signed with the public key as if it were a secret': [
      async ({ server, fixture }) => {
        const secret = Buffer.from(JSON.stringify(await server.publicKey()));
        const claims = { iss: server.url, ...times(fixture.clock), ...GITHUB_JOB };
        return signWith(secret, claims, { keyId: 'first', algorithm: 'HS256' });
      },
      'is signed with an algorithm that is not accepted',
    ],
    'that is not signed': [
      ({ server, fixture }) =>
        new UnsecuredJWT({ iss: server.url, ...times(fixture.clock), ...GITHUB_JOB }).encode(),
      'is signed with an algorithm that is not accepted',
    ],
    'that was changed on its way': [
      async ({ server, signing }) => {
        const [header, , signature] = (await server.sign(GITHUB_JOB, signing())).split('.');
        const [, changed] = (await server.sign({ ...GITHUB_JOB, ref: 'refs/heads/x' }, signing())).split('.');
        return [header, changed, signature].join('.');
      },
      'the signature of the ID token is wrong',
    ],
    'with a critical header that nobody knows': [
      async ({ server, signing }) => {
        const [, claims, signature] = (await server.sign(GITHUB_JOB, signing())).split('.');
        const header = { alg: 'RS256', kid: 'first', crit: ['future'], future: 1 };
        return [Buffer.from(JSON.stringify(header)).toString('base64url'), claims, signature].join('.');
      },
      'the ID token is malformed',
    ],
    'that is none': [() => randomBytes(30).toString('hex'), 'the password is not an ID token'],
    'of an issuer that is down': [
      async ({ server, signing }) => {
        server.outage = 503;
        return server.sign(GITHUB_JOB, signing());
      },
      'the keys of the issuer cannot be had now',
    ],
    'of an issuer that says it is another': [
      async ({ server, signing }) => {
        server.discovery = { issuer: 'https://example.com' };
        return server.sign(GITHUB_JOB, signing());
      },
      'the issuer says that it is another one',
    ],
    'of an issuer whose keys come over a line that others can write to': [
      async ({ server, signing }) => {
        server.discovery = { jwks_uri: 'http://keys.example.com/' };
        return server.sign(GITHUB_JOB, signing());
      },
      'the keys of the issuer would come over a line where others can write',
    ],
  };
