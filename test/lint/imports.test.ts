import { spawnSync } from 'node:child_process';
import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

// A rule that nobody has seen fail is no rule: each row plants a file with an import that the layout forbids.

const ROOT = join(import.meta.dirname, '../..');

const FORBIDDEN = [
  ['api', '../functions/oci/digest.ts'],
  ['api', 'node:fs'],
  ['functions/oci', '../limits.ts'],
  ['functions/oci', '@aws-sdk/client-s3'],
  ['functions/storage', '../registry/keys.ts'],
  ['functions/registry', '../http/range.ts'],
  ['functions/registry', '../identity/grants.ts'],
  ['functions/registry', '../handlers/call.ts'],
  ['functions/registry', '@aws-sdk/client-dynamodb'],
  ['functions/registry', 'node:fs'],
  ['functions/registry', '../upkeep/sweep.ts'],
  ['functions/upkeep', '../handlers/call.ts'],
  ['functions/upkeep', '@aws-sdk/client-s3'],
  ['functions/upkeep', 'node:fs'],
  ['functions/http', '../registry/registry.ts'],
  ['functions/http', '@middy/core'],
  ['functions/http', 'aws-lambda'],
  ['functions/telemetry', '../app.ts'],
  ['functions/telemetry', '@aws-sdk/client-s3'],
  ['functions', '@middy/core'],
  ['functions', 'aws-lambda'],
  ['functions/storage/dynamodb', '../../registry/keys.ts'],
  ['functions/storage/dynamodb', '../s3/s3-blob-store.ts'],
  ['functions/storage/dynamodb', '../../http/range.ts'],
  ['functions/storage/s3', '../../environment.ts'],
  ['functions/storage/s3', '../../../local/server.ts'],
  ['functions/storage/ssm', '../../auth/signing-keys.ts'],
  ['functions/storage/ssm', '../dynamodb/dynamodb-table.ts'],
  ['functions/storage/cloudfront', '../../auth/key-publication.ts'],
  ['functions/storage/cloudfront', '../s3/object-text.ts'],
  ['functions/auth', '@aws-sdk/client-cloudfront-keyvaluestore'],
  ['lib', '../functions/limits.ts'],
  ['lib', '@aws-sdk/client-s3'],
  ['functions/auth', '../handlers/call.ts'],
  ['functions/identity', '../auth/access.ts'],
  ['functions/identity', 'node:fs'],
  ['functions/identity', '@aws-sdk/client-dynamodb'],
  ['functions/handlers', '../registry/keys.ts'],
  ['functions/handlers', '../storage/table.ts'],
  ['functions/handlers', '../../local/server.ts'],
  ['functions/management', '../registry/keys.ts'],
  ['functions/management', '../storage/table.ts'],
  ['functions/management', '../handlers/manifests.ts'],
  ['functions/management', '@aws-sdk/client-dynamodb'],
  ['local', '../functions/handlers/call.ts'],
  ['local', '@aws-sdk/client-s3'],
  ['cli', '../functions/limits.ts'],
  ['cli', '../local/settings.ts'],
  ['cli', '@aws-sdk/client-dynamodb'],
  ['cli/commands', '../../functions/identity/grants.ts'],
  ['cli/commands', '../../local/settings.ts'],
  ['edge', '../functions/limits.ts'],
  ['edge', 'node:crypto'],
  ['edge', 'fs'],
  ['cli/push', '../commands/tags.ts'],
  ['cli/proxy', '../commands/tags.ts'],
  ['cli/proxy', '../../functions/limits.ts'],
  ['cli/push', '../../functions/limits.ts'],
  ['cli/doctor', '../../functions/limits.ts'],
  ['cli/cost', '../../functions/limits.ts'],
  ['cli/doctor/probes', '../../../functions/environment.ts'],
] as const;

const ALLOWED = [
  ['functions/storage/dynamodb', '../table.ts'],
  ['functions/storage/dynamodb', '@aws-sdk/client-dynamodb'],
  ['functions/storage/s3', '../../oci/errors.ts'],
  ['functions/storage/ssm', '@aws-sdk/client-ssm'],
  ['functions/storage/cloudfront', '@aws-sdk/client-cloudfront-keyvaluestore'],
  ['lib', '../functions/environment.ts'],
  ['functions/registry', '../oci/digest.ts'],
  ['functions/registry', '../storage/table.ts'],
  ['functions/handlers', '../registry/tags.ts'],
  ['functions/management', '../handlers/call.ts'],
  ['functions/management', '../identity/users.ts'],
  ['local', '../functions/app.ts'],
  ['cli', '../functions/oci/reference.ts'],
  ['cli/commands', '../../functions/oci/reference.ts'],
  ['cli/commands', '../session.ts'],
  ['cli', '../api/types.ts'],
  ['cli/commands', '../../api/types.ts'],
  ['cli/cost', '../../api/types.ts'],
  ['edge', 'cloudfront'],
  ['edge', 'crypto'],
  ['cli/commands', '../push/repository.ts'],
  ['cli/commands', '../proxy/proxy.ts'],
  ['cli/proxy', '../push/repository.ts'],
  ['cli/proxy', '../../functions/http/router.ts'],
  ['cli/push', '../failure.ts'],
  ['cli/commands', '../cost/bill.ts'],
  ['cli/cost', '../failure.ts'],
  ['cli/push', '../../functions/oci/manifest.ts'],
  ['cli/commands', '../doctor/probes.ts'],
  ['cli/doctor', '../../functions/oci/digest.ts'],
  ['cli/doctor/probes', '../../../functions/oci/digest.ts'],
] as const;

const planted = [...FORBIDDEN, ...ALLOWED].map(([folder, specifier], index) => ({
  path: `${folder}/planted-${index}.ts`,
  source: `import * as anything from '${specifier}';\nexport const all = anything;\n`,
}));
const environment = { path: 'functions/registry/planted.ts', source: 'export const home = process.env;\n' };

/** `<path> <rule>` of everything lint found in the planted files. */
let findings: readonly string[] = [];

beforeAll(() => {
  for (const { path, source } of [...planted, environment]) writeFileSync(join(ROOT, path), source);
  const paths = [...planted, environment].map(({ path }) => path);
  const biome = join(ROOT, 'node_modules/.bin/biome');
  const options = ['lint', '--reporter=json', '--max-diagnostics=none', ...paths];
  const { stdout } = spawnSync(biome, options, { cwd: ROOT, encoding: 'utf8' });
  const { diagnostics } = JSON.parse(stdout) as Report;
  findings = diagnostics.map(({ location, category }) => `${location.path} ${category}`);
});

afterAll(() => {
  for (const { path } of [...planted, environment]) rmSync(join(ROOT, path), { force: true });
});

interface Report {
  readonly diagnostics: readonly {
    readonly category: string;
    readonly location: { readonly path: string };
  }[];
}

it.each(FORBIDDEN.map(([folder, specifier], index) => ({ folder, specifier, index })))(
  '$folder may not import $specifier, and lint says so',
  ({ index }) => {
    expect(findings).toContain(`${planted[index]?.path} lint/style/noRestrictedImports`);
  },
);

it.each(
  ALLOWED.map(([folder, specifier], index) => ({ folder, specifier, index: FORBIDDEN.length + index })),
)('$folder may import $specifier', ({ index }) => {
  expect(findings).not.toContain(`${planted[index]?.path} lint/style/noRestrictedImports`);
});

it('the registry does not read the environment', () => {
  expect(findings).toContain(`${environment.path} lint/style/noProcessEnv`);
});

it('the registry takes clock and chance as arguments', () => {
  const sources = globSync('functions/{oci,registry,handlers,http,management}/*.ts', { cwd: ROOT });
  const impure = sources.filter((path) =>
    /Date\.now|new Date\(\)|Math\.random|randomUUID|randomBytes/.test(readFileSync(join(ROOT, path), 'utf8')),
  );
  expect(sources.length).toBeGreaterThan(20);
  expect(impure).toEqual([]);
});
