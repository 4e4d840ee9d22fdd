import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { ClaimRule, Grant, Issuer } from '../../api/types.ts';
import { pathOf } from '../api.ts';
import { Failure, misuse } from '../failure.ts';
import { onRegistry, type Session } from '../session.ts';
import { claimValue, grantsText, grantValue, many } from '../values.ts';

const GITHUB = 'https://token.actions.githubusercontent.com';
const GITLAB = 'https://gitlab.com';

export function addIssuerCommands(program: Command): void {
  const issuer = program.command('issuer').description('CI that logs in by OpenID Connect, without a secret');
  issuer.command('list').description('list all issuers and their rules').action(onRegistry(listIssuers));
  issuer
    .command('add <name> [url]')
    .description('trust the ID tokens of an issuer, or change how')
    .option('--github', `GitHub Actions: ${GITHUB}`)
    .option('--gitlab', `GitLab.com: ${GITLAB}`)
    .option('--audience <text>', "the aud that its tokens must have (default: the registry's host)")
    .option(
      '--claim <name=pattern>',
      "a claim that a token must have, such as 'repository=org/app' (repeatable)",
      many(claimValue),
    )
    .option(
      '--grant <pattern:actions>',
      'what a token with all these claims may do (repeatable)',
      many(grantValue),
    )
    .option('--file <rules.json>', 'several rules: [{"claims": {…}, "grants": [{"pattern", "actions"}]}]')
    .action(onRegistry(addIssuer));
  issuer.command('remove <name>').description('trust an issuer no more').action(onRegistry(removeIssuer));
}

async function listIssuers({ api, output }: Session): Promise<void> {
  const list = await api.get<{ issuers: Issuer[] }>('/issuers');
  output.list('issuers', list.issuers, {
    NAME: ({ name }) => name,
    ISSUER: ({ issuer }) => issuer,
    AUDIENCE: ({ audience }) => audience,
    RULES: ({ rules }) => rules.map(ruleText).join('; '),
  });
}

const ruleText = (rule: ClaimRule) => `${claimsText(rule)} -> ${grantsText(rule.grants)}`;

const claimsText = ({ claims }: ClaimRule) =>
  Object.entries(claims)
    .map(([name, pattern]) => `${name}=${pattern}`)
    .join(' ');

interface AddOptions {
  readonly github?: boolean;
  readonly gitlab?: boolean;
  readonly audience?: string;
  readonly claim?: readonly (readonly [string, string])[];
  readonly grant?: readonly Grant[];
  readonly file?: string;
}

async function addIssuer(
  { api, output }: Session,
  name: string,
  url: string | undefined,
  options: AddOptions,
): Promise<void> {
  const audience = options.audience ?? new URL(api.url).host;
  const request = { issuer: issuerUrl(url, options), audience, rules: rulesOf(options) };
  const issuer = await api.put<Issuer>(pathOf`/issuers/${name}`, request);
  output.done(issuer, `tokens of ${request.issuer} for ${audience} log in as user "oidc"`);
}

function issuerUrl(url: string | undefined, { github, gitlab }: AddOptions): string {
  const named = [url, github && GITHUB, gitlab && GITLAB].filter((one) => typeof one === 'string');
  const [only] = named;
  if (only === undefined || named.length > 1) throw misuse('name one issuer: its URL, --github, or --gitlab');
  return only;
}

function rulesOf({ claim = [], grant = [], file }: AddOptions): unknown {
  if (file !== undefined) {
    if (claim.length + grant.length > 0) throw misuse('--file excludes --claim and --grant');
    return rulesIn(file);
  }
  if (claim.length === 0 || grant.length === 0) {
    throw misuse('say who may do what: at least one --claim and one --grant, or --file');
  }
  return [{ claims: Object.fromEntries(claim), grants: grant }];
}

/** The registry checks what they say. */
function rulesIn(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Failure(`--file ${file}: ${(error as Error).message}`);
  }
}

async function removeIssuer({ api, output }: Session, name: string): Promise<void> {
  await api.delete(pathOf`/issuers/${name}`);
  output.say(`ID tokens of ${name} are refused from now on`);
}
