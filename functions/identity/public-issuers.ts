/** What of a claim's pattern names one owner, whom nobody else can be. */
type NamesOwner = (pattern: string) => boolean;

/** No `*` at all. */
const whole: NamesOwner = (pattern) => !pattern.includes('*');
/** Whole, or whole up to the first slash: `org/*`, but not `org*`, which fits `org-of-somebody-else`. */
const firstSegment: NamesOwner = (pattern) => whole(pattern) || /^[^*/]+\//.test(pattern);
/** As `firstSegment`, behind a word and a colon; whole up to the next colon where there is no slash. */
const behind =
  (words: readonly string[]): NamesOwner =>
  (pattern) =>
    words.some(
      (word) => pattern.startsWith(`${word}:`) && /^[^*/:]+(?:[/:]|$)/.test(pattern.slice(word.length + 1)),
    );

interface PublicIssuer {
  readonly title: string;
  /** Claims of which a rule needs one, and what it has to say. */
  readonly owners: Readonly<Record<string, NamesOwner>>;
}

/** Issuers at which anybody can have an account, by their `iss`. One whose `iss` names a tenant needs no other claim. */
const PUBLIC_ISSUERS: Readonly<Record<string, PublicIssuer>> = {
  // https://docs.github.com/en/actions/reference/security/oidc. A workflow that others may call (`job_workflow_ref`) names no owner.
  'https://token.actions.githubusercontent.com': {
    title: 'GitHub',
    owners: {
      repository_owner: whole,
      repository_owner_id: whole,
      repository: firstSegment,
      repository_id: whole,
      enterprise: whole,
      enterprise_id: whole,
      workflow_ref: firstSegment,
      sub: behind([
        'repo',
        'repository',
        'repository_id',
        'repository_owner',
        'repository_owner_id',
        'enterprise',
      ]),
    },
  },
  // https://docs.gitlab.com/ci/secrets/id_token_authentication/
  'https://gitlab.com': {
    title: 'GitLab',
    owners: {
      namespace_path: firstSegment,
      namespace_id: whole,
      project_path: firstSegment,
      project_id: whole,
      user_id: whole,
      user_login: whole,
      user_email: whole,
      sub: behind(['project_path']),
    },
  },
  // https://developers.google.com/identity/openid-connect/openid-connect
  'https://accounts.google.com': { title: 'Google', owners: { sub: whole, email: whole, hd: whole } },
  // https://buildkite.com/docs/pipelines/security/oidc
  'https://agent.buildkite.com': {
    title: 'Buildkite',
    owners: {
      organization_slug: whole,
      organization_id: whole,
      pipeline_id: whole,
      sub: behind(['organization']),
    },
  },
  // https://developer.hashicorp.com/terraform/cloud-docs/workspaces/dynamic-provider-credentials/workload-identity-tokens
  'https://app.terraform.io': {
    title: 'HCP Terraform',
    owners: {
      terraform_organization_id: whole,
      terraform_organization_name: whole,
      terraform_workspace_id: whole,
      sub: behind(['organization']),
    },
  },
};

/** Why a rule with these claims would fit everybody who has an account at the issuer; `undefined` where it names an owner, or
 *  where the issuer is none of those that are known to be public. */
export function fitsEverybody(issuer: string, claims: Readonly<Record<string, string>>): string | undefined {
  const known = PUBLIC_ISSUERS[issuer.toLowerCase().replace(/\/+$/, '')];
  if (!known) return undefined;
  const namesOwner = Object.entries(claims).some(([claim, pattern]) => known.owners[claim]?.(pattern));
  if (namesOwner) return undefined;
  const [first, ...others] = Object.keys(known.owners);
  return `anybody with an account at ${known.title} could fit: name an owner by ${[first, ...others].join(', ')}, without * in its name`;
}
