import { randomUUID } from 'node:crypto';
import { conflict } from '../oci/errors.ts';
import { matcherOf } from '../oci/pattern.ts';
import { issuerIn, issuerKey, issuers } from '../registry/keys.ts';
import { LOST, untilWon } from '../registry/races.ts';
import type { Registry } from '../registry/registry.ts';
import { type Attributes, absent, equals, type Item, present } from '../storage/table.ts';
import type { Grant } from './grants.ts';
import { fitsEverybody } from './public-issuers.ts';

/** Grants for the ID tokens of which every claim named here has a value that fits; `*` stands for any characters. */
export interface ClaimRule {
  readonly claims: Readonly<Record<string, string>>;
  readonly grants: readonly Grant[];
}

/** An OpenID provider whose ID tokens are accepted as passwords: GitHub, GitLab, or any other. */
export interface Issuer {
  readonly name: string;
  /** Its `iss`, such as `https://token.actions.githubusercontent.com`. */
  readonly issuer: string;
  /** The `aud` its tokens must have; the registry's own name, so that no other service can use them here. */
  readonly audience: string;
  readonly rules: readonly ClaimRule[];
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Changes with each change of the issuer: what was granted by its rules before is void. */
  readonly stamp: string;
}

/** An issuer as somebody sets it. */
export type NewIssuer = Omit<Issuer, 'createdAt' | 'stamp'>;

/** More than a few would be a mistake: every login of a workload reads them. */
export const MAX_ISSUERS = 20;

/** Sets what an issuer's tokens are worth, and adds the issuer where it is new. Of two who do so at once the last wins. */
export async function putIssuer(registry: Registry, issuer: NewIssuer): Promise<Issuer> {
  const { name, audience, rules } = issuer;
  const stamp = randomUUID();
  return untilWon(registry, async () => {
    const others = await listIssuers(registry);
    const before = others.find((one) => one.name === name);
    if (!before && others.length >= MAX_ISSUERS)
      throw conflict(`there are ${MAX_ISSUERS} issuers, as many as there can be`);
    const createdAt = before?.createdAt ?? registry.now();
    const attributes = { issuer: issuer.issuer, audience, rules, createdAt, stamp } as unknown as Attributes;
    // With a condition it takes effect once: a second time might be after the issuer was deleted.
    const when = [before ? equals('stamp', before.stamp) : absent];
    const { committed } = await registry.table.write([{ put: issuerKey(name), attributes, when }]);
    return committed ? { name, issuer: issuer.issuer, audience, rules, createdAt, stamp } : LOST;
  });
}

export async function listIssuers({ table }: Registry): Promise<Issuer[]> {
  const items = await table.query({ ...issuers, limit: MAX_ISSUERS });
  return items.map(issuerOf);
}

/** Whether the issuer is there and as it was when it had this stamp. */
export async function isUnchanged({ table }: Registry, name: string, stamp: string): Promise<boolean> {
  return (await table.get(issuerKey(name)))?.['stamp'] === stamp;
}

/** Answers whether it was there. */
export async function deleteIssuer({ table }: Registry, name: string): Promise<boolean> {
  const { committed } = await table.write([{ remove: issuerKey(name), when: [present] }]);
  return committed;
}

/** The grants of every rule that fits the claims; a claim that is a list fits by any of its values. */
export function grantsFor({ issuer, rules }: Issuer, claims: Readonly<Record<string, unknown>>): Grant[] {
  return rules.filter((rule) => fits(issuer, rule, claims)).flatMap(({ grants }) => grants);
}

/** A rule that would fit everybody whom the issuer knows fits nobody; there may be some of before they were refused. */
function fits(issuer: string, rule: ClaimRule, claims: Readonly<Record<string, unknown>>): boolean {
  const wanted = Object.entries(rule.claims);
  if (fitsEverybody(issuer, rule.claims) !== undefined) return false;
  return wanted.length > 0 && wanted.every(([name, pattern]) => hasValue(claims, name, matcherOf(pattern)));
}

function hasValue(
  claims: Readonly<Record<string, unknown>>,
  name: string,
  matches: (text: string) => boolean,
): boolean {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values.some((one) => ['string', 'number', 'boolean'].includes(typeof one) && matches(String(one)));
}

function issuerOf(item: Item): Issuer {
  return { ...(item.attributes as unknown as Omit<Issuer, 'name'>), name: issuerIn(item) };
}
