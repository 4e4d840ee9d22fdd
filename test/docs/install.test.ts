import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { boundsFrom } from '../../local/bounds.ts';
import { SETTINGS } from '../../local/options.ts';

// The files of deploy/, as far as reading them tells; test/machine/deploy-files.test.ts starts what it can of them.

const ROOT = join(import.meta.dirname, '../..');
const DEPLOY = join(ROOT, 'deploy');
const read = (path: string) => readFileSync(join(DEPLOY, path), 'utf8');
const files = readdirSync(DEPLOY, { recursive: true, withFileTypes: true }).flatMap((entry) =>
  entry.isFile() ? [join(entry.parentPath, entry.name).slice(DEPLOY.length + 1)] : [],
);
/** Of compose and Caddy, which tell each other. */
const OF_COMPOSE = ['STOWAGE_DOMAIN', 'STOWAGE_UPSTREAM'];

it('is a page that names each file, and files that name settings there are', () => {
  const page = readFileSync(join(ROOT, 'docs/install.md'), 'utf8');
  const linked = [...page.matchAll(/\]\(\.\.\/deploy\/([^)]+)\)/g)].map(([, path = '']) => path);
  expect(linked.filter((path) => !existsSync(join(DEPLOY, path)))).toEqual([]);
  const named = (path: string) => page.includes(path.split('/').at(-1) ?? '') || path.endsWith('ignore');
  expect(files.filter((path) => !named(path) && !path.startsWith('systemd/stowage-backup'))).toEqual([]);
  const known = [...SETTINGS.map(({ variable }) => variable), ...OF_COMPOSE];
  for (const path of files) {
    const variables = read(path).match(/\bSTOWAGE_[A-Z_]*[A-Z]\b/g) ?? [];
    expect([path, variables.filter((name) => !known.includes(name))]).toEqual([path, []]);
  }
});

it('is a composition whose parts fit each other', () => {
  const { services, volumes, secrets } = parse(read('compose.yaml'));
  expect(services.caddy.environment.STOWAGE_UPSTREAM).toBe('stowage:5000');
  for (const name of OF_COMPOSE) {
    expect(services.caddy.environment).toHaveProperty(name);
    expect(read('Caddyfile')).toContain(`{$${name}:`);
  }
  const used = [services.stowage, services.caddy]
    .flatMap((one) => one.volumes)
    .map((text: string) => text.split(':')[0] ?? '');
  expect(used.filter((name: string) => !name.startsWith('./') && !(name in volumes))).toEqual([]);
  expect(Object.keys(secrets)).toEqual(services.stowage.secrets);
  expect(Number.parseInt(services.stowage.stop_grace_period, 10) * 1000).toBeGreaterThan(
    boundsFrom({}).stopMs,
  );
});

it('is a manifest that never has two pods at the data, and asks for health by paths that need no login', () => {
  const all = parseAllDocuments(read('kubernetes/stowage.yaml'));
  expect(all.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
  const documents = all.map((document) => document.toJS());
  const of = (kind: string) => documents.find((one) => one.kind === kind);
  const { spec } = of('Deployment');
  expect([spec.strategy.type, spec.replicas]).toEqual(['Recreate', 1]);
  expect(of('PersistentVolumeClaim').spec.accessModes).toEqual(['ReadWriteOncePod']);
  const pod = spec.template.spec;
  const [container] = pod.containers;
  const paths = ['startupProbe', 'livenessProbe', 'readinessProbe'].map(
    (probe) => container[probe].httpGet.path,
  );
  expect(paths).toEqual(['/healthz', '/healthz', '/readyz']);
  expect(spec.template.metadata.labels).toEqual(spec.selector.matchLabels);
  expect(of('Service').spec.selector).toEqual(spec.selector.matchLabels);
  expect(container.volumeMounts.map(({ name }: { name: string }) => name)).toEqual(
    pod.volumes.map(({ name }: { name: string }) => name),
  );
  expect(pod.terminationGracePeriodSeconds * 1000).toBeGreaterThan(boundsFrom({}).stopMs);
});
