import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatScope, parseScopes, type Scope } from '../../functions/auth/scope.ts';
import { readTokenRequest } from '../../functions/http/token-request.ts';
import {
  authorityOf,
  bothOf,
  GRANT_ACTIONS,
  GRANT_PATTERN,
  type Grant,
} from '../../functions/identity/grants.ts';
import { claimedName } from '../../functions/identity/principal.ts';
import { RegistryError } from '../../functions/oci/errors.ts';
import { matcherOf } from '../../functions/oci/pattern.ts';
import { parseRepositoryName, type RepositoryName } from '../../functions/oci/reference.ts';
import { expectSoundAnswer } from '../fuzz/answers.ts';
import { openWorld, PRINCIPALS } from './world.ts';

/** Few letters, so that patterns and texts often fit. */
const letters = (...units: string[]) => fc.string({ unit: fc.constantFrom(...units), maxLength: 12 });
const patterns = letters('a', 'b', '/', '-', '*', '*');
const texts = letters('a', 'b', '/', '-');
const names = texts.filter((text) => parseRepositoryName(text) !== undefined) as fc.Arbitrary<RepositoryName>;

const grants = fc.array(
  fc.record({
    pattern: patterns.filter((pattern) => GRANT_PATTERN.test(pattern)),
    actions: fc.subarray([...GRANT_ACTIONS]),
  }),
  { maxLength: 4 },
) as fc.Arbitrary<Grant[]>;

/** The other way to say what a pattern means. */
const regexpOf = (pattern: string) => new RegExp(`^${pattern.split('*').join('.*')}$`, 's');

/** A text for each star. */
const filled = (pattern: string, fillings: readonly string[]) =>
  pattern.split('*').reduce((text, part, index) => `${text}${fillings[index - 1] ?? ''}${part}`);

describe('a pattern', () => {
  it('matches what it matches as a regular expression', () => {
    fc.assert(
      fc.property(patterns, texts, (pattern, text) => {
        expect(matcherOf(pattern)(text)).toBe(regexpOf(pattern).test(text));
      }),
      { numRuns: 2000 },
    );
  });

  it('matches whatever its stars are filled with', () => {
    fc.assert(
      fc.property(patterns, fc.array(fc.string()), (pattern, fillings) => {
        expect(matcherOf(pattern)(filled(pattern, fillings))).toBe(true);
      }),
    );
  });

  it('of many stars is matched at once, whatever it is matched against', () => {
    // A regular expression would not come to an end.
    expect(matcherOf(`${'*a'.repeat(120)}*b`)('a'.repeat(100_000))).toBe(false);
  });
});

describe('authority', () => {
  it('over a pattern is authority over every repository that it matches', () => {
    fc.assert(
      fc.property(grants, patterns, fc.array(texts), (given, inner, fillings) => {
        const name = filled(inner, fillings) as RepositoryName;
        const authority = authorityOf(given);
        if (!authority.administers(inner)) return;
        for (const action of GRANT_ACTIONS) expect(authority.may(action, name)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('is what some grant says, and push alone implies pull, and admin all', () => {
    fc.assert(
      fc.property(grants, names, (given, name) => {
        const authority = authorityOf(given);
        const has = (...wanted: string[]) =>
          given.some(
            ({ pattern, actions }) =>
              regexpOf(pattern).test(name) && actions.some((one) => wanted.includes(one)),
          );
        expect(authority.may('pull', name)).toBe(has('pull', 'push', 'admin'));
        expect(authority.may('push', name)).toBe(has('push', 'admin'));
        expect(authority.may('delete', name)).toBe(has('delete', 'admin'));
        expect(authority.may('admin', name)).toBe(has('admin'));
      }),
      { numRuns: 1000 },
    );
  });

  it('that is limited is never more than either of the two', () => {
    fc.assert(
      fc.property(grants, grants, names, patterns, (mine, limit, name, pattern) => {
        const [first, second] = [authorityOf(mine), authorityOf(limit)];
        const both = bothOf(first, second);
        for (const action of GRANT_ACTIONS)
          expect(both.may(action, name)).toBe(first.may(action, name) && second.may(action, name));
        if (both.administers(pattern))
          expect(first.administers(pattern) && second.administers(pattern)).toBe(true);
      }),
    );
  });
});

describe('scopes', () => {
  const scopeTexts = fc.oneof(
    fc.string(),
    letters('repository', 'registry', ':', 'a', '/', '*', 'pull', ',', 'push', ' ', '(x)', 'catalog', 'api'),
    fc
      .tuple(
        fc.constantFrom('repository', 'registry'),
        names,
        fc.subarray(['pull', 'push', 'delete', '*', 'x']),
      )
      .map(([type, name, actions]) => `${type}:${name}:${actions.join(',')}`),
  );

  it('are read as names that repositories can have and actions that there are, each thing once', () => {
    fc.assert(
      fc.property(fc.array(scopeTexts, { maxLength: 80 }), (parameters) => {
        const scopes = parseScopes(parameters);
        expect(scopes.length).toBeLessThanOrEqual(50);
        expect(new Set(scopes.map(({ type, name }) => `${type}:${name}`)).size).toBe(scopes.length);
        for (const scope of scopes) expectKnown(scope);
      }),
    );
  });

  it('mean the same when they are written out and read again', () => {
    fc.assert(
      fc.property(fc.array(scopeTexts), (parameters) => {
        const scopes = parseScopes(parameters).filter(({ actions }) => actions.length > 0);
        expect(parseScopes([scopes.map(formatScope).join(' ')])).toEqual(scopes);
      }),
      { examples: [[['repository:a:delete', 'repository:a:*']]] },
    );
  });
});

function expectKnown({ type, name, actions }: Scope): void {
  const ofRegistry = type === 'registry';
  expect(ofRegistry ? ['catalog', 'api'] : [parseRepositoryName(name)]).toContain(name);
  for (const action of actions) expect(ofRegistry ? ['*'] : ['pull', 'push', 'delete']).toContain(action);
}

/** What may stand in a header. */
const headerText = fc.string({
  unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)),
});
const base64 = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('base64'));
const authorizations = fc.option(
  fc.oneof(
    headerText,
    base64.map((text) => `Basic ${text}`),
    fc
      .tuple(fc.string(), fc.string())
      .map((pair) => `Basic ${Buffer.from(pair.join(':')).toString('base64')}`),
    fc.string().map((text) => `Basic ${Buffer.from(`oidc:${text}`).toString('base64')}`),
    fc.string().map((text) => `Basic ${Buffer.from(`robot/${text}:x`).toString('base64')}`),
  ),
  { nil: undefined },
);
const fields = fc.constantFrom(
  'scope',
  'service',
  'account',
  'grant_type',
  'username',
  'password',
  'refresh_token',
  'access_type',
  'offline_token',
);
const values = fc.oneof(
  fc.string(),
  fc.constantFrom('password', 'refresh_token', 'offline', 'true', 'repository:a:*', 'oidc'),
);
const forms = fc.array(fc.tuple(fields, values)).map((pairs) => `${new URLSearchParams(pairs)}`);
const contentTypes = fc.constantFrom(
  'application/x-www-form-urlencoded',
  'application/x-www-form-urlencoded; charset=utf-8',
  'application/json',
  'text/plain',
);

const requests = fc.oneof(
  fc.record({ authorization: authorizations, query: fc.oneof(forms, fc.webQueryParameters()) }).map(
    ({ authorization, query }) =>
      new Request(`http://registry.test/token?${query}`, {
        headers: authorization === undefined ? {} : { Authorization: authorization.trim() },
      }),
  ),
  fc
    .record({ type: contentTypes, body: fc.oneof(forms, fc.uint8Array({ maxLength: 200 }), fc.string()) })
    .map(
      ({ type, body }) =>
        new Request('http://registry.test/token', {
          method: 'POST',
          headers: { 'Content-Type': type },
          body: typeof body === 'string' ? body : Buffer.from(body),
        }),
    ),
);

describe('the token endpoint', () => {
  it('reads any request, or says what the client did wrong', async () => {
    await fc.assert(
      fc.asyncProperty(requests, async (request) => {
        const outcome = await readTokenRequest(request, new URL(request.url).searchParams).catch(
          (error) => error,
        );
        if (outcome instanceof Error) expect(outcome).toBeInstanceOf(RegistryError);
        else expect(Array.isArray(outcome.scopes)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('answers any request, and never by failing', async () => {
    const world = await openWorld();
    await PRINCIPALS.robot(world, 'ci', []);
    let sent = 0;
    await fc.assert(
      fc.asyncProperty(requests, async (request) => {
        sent += 1;
        const sender = { address: `10.0.${sent >> 8}.${sent & 255}`, scheme: 'https' } as const;
        const response = await world.app(request, sender);
        await expectSoundAnswer(
          response,
          `${request.method} ${request.url} ${request.headers.get('authorization')}`,
        );
      }),
      { numRuns: 300 },
    );
  });

  it('keeps no name in the trail that nobody could log in with', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const kept = claimedName(text);
        if (kept !== 'not a name') expect(kept).toMatch(/^(?:robot\/)?[a-z0-9][a-z0-9._-]{0,63}$/);
      }),
    );
  });
});
