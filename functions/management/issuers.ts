import * as z from 'zod';
import { isTrustworthy } from '../auth/id-tokens.ts';
import {
  deleteIssuer,
  type Issuer as IssuerItem,
  listIssuers,
  MAX_ISSUERS,
  putIssuer,
} from '../identity/issuers.ts';
import { SUBJECT_NAME } from '../identity/principal.ts';
import { fitsEverybody } from '../identity/public-issuers.ts';
import { inputInvalid } from '../oci/errors.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { nameOf, present } from './input.ts';
import { iso } from './output.ts';
import { requireAdmin } from './rights.ts';
import { Grant, Grants, named, SubjectName, Time } from './schemas.ts';

/** Ours; more would not fit into an item. */
const MAX_RULES = 50;
const MAX_CLAIMS = 20;

const Claims = z
  .record(z.string().min(1).max(200), z.string().min(1).max(500))
  .refine((claims) => Object.keys(claims).length > 0, 'a rule without claims would fit everybody')
  .refine((claims) => Object.keys(claims).length <= MAX_CLAIMS, `more than ${MAX_CLAIMS} claims`)
  .meta({ minProperties: 1, maxProperties: MAX_CLAIMS })
  .describe('Values that claims of the ID token must have; `*` stands for any characters. At least one.');

const IssuerUrl = z
  .string()
  .max(500)
  .regex(/^https?:\/\/[^\s?#]+$/, 'must be an https URL without query')
  .refine(isIssuerUrl, 'must be an https URL without query, or one on a loopback address')
  .describe('The `iss` of its tokens: `https://token.actions.githubusercontent.com`.');

const fields = {
  issuer: IssuerUrl,
  audience: z.string().min(1).max(500).describe('The `aud` its tokens must have.'),
  rules: z.array(z.strictObject({ claims: Claims, grants: Grants.min(1) })).max(MAX_RULES),
};

const Issuer = named(
  'Issuer',
  z.strictObject({
    name: SubjectName,
    issuer: z.string(),
    audience: z.string(),
    rules: z.array(z.strictObject({ claims: z.record(z.string(), z.string()), grants: z.array(Grant) })),
    createdAt: Time,
  }),
);
const NewIssuer = named('NewIssuer', z.strictObject(fields));
const IssuerList = named('IssuerList', z.strictObject({ issuers: z.array(Issuer) }));

const issuerOut = ({ name, issuer, audience, rules, createdAt }: IssuerItem): z.infer<typeof Issuer> => ({
  name,
  issuer,
  audience,
  rules: rules.map(({ claims, grants }) => ({
    claims,
    grants: grants.map(({ pattern, actions }) => ({ pattern, actions: [...actions] })),
  })),
  createdAt: iso(createdAt),
});

export const endpoints = {
  'issuer.list': endpoint({
    summary: 'Issuers whose ID tokens are taken for a password, with what they are worth',
    answer: IssuerList,
    allow: requireAdmin,
    async handle({ registry }) {
      return { issuers: (await listIssuers(registry)).map(issuerOut) };
    },
  }),
  'issuer.set': endpoint({
    summary: 'Trust an issuer, or change what its ID tokens are worth',
    body: NewIssuer,
    answer: Issuer,
    problems: { 409: `There are ${MAX_ISSUERS} issuers, as many as there can be.` },
    allow: requireAdmin,
    async handle(call, { body }) {
      const name = call.params['issuer'] ?? '';
      if (!SUBJECT_NAME.test(name))
        throw inputInvalid('path', [{ path: 'issuer', message: 'cannot be the name of an issuer' }]);
      const wide = body.rules.flatMap(({ claims }, n) => {
        const message = fitsEverybody(body.issuer, claims);
        return message === undefined ? [] : [{ path: `rules.${n}.claims`, message }];
      });
      if (wide.length > 0) throw inputInvalid('body', wide);
      return issuerOut(await putIssuer(call.registry, { name, ...body }));
    },
  }),
  'issuer.delete': endpoint({
    summary: 'Trust an issuer no longer',
    allow: requireAdmin,
    async handle(call) {
      const name = nameOf(call, 'issuer');
      present((await deleteIssuer(call.registry, name)) || undefined, 'issuer', name);
    },
  }),
} satisfies Record<string, Endpoint>;

function isIssuerUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  const isWeb = url.protocol === 'https:' || url.protocol === 'http:';
  return isWeb && isTrustworthy(url) && url.search === '' && url.hash === '' && url.username === '';
}
