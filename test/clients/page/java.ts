import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Environment, inheritedEnvironment, run } from '../command.ts';
import { NAME } from '../named-registry.ts';
import type { Visit } from './visit.ts';

const SOURCES = join(import.meta.dirname, '../java');
const IMAGE = `${NAME}/team-a/app:1.0.0`;

/** What Java's own list of certificates is locked with, everywhere. */
const STORE_PASSWORD = 'changeit';

/** Has Maven trust the certificate, besides what every JVM trusts anyway. */
export async function javaTrust(directory: string, certificate: string): Promise<Environment> {
  const about = ['-XshowSettings:properties', '-version'];
  const printed = await run('java', about, { env: inheritedEnvironment(), withErrors: true });
  const [, home] = /java\.home = (.*)/.exec(printed) ?? [];
  if (home === undefined) throw new Error('java does not tell where it is');
  const store = join(directory, 'cacerts');
  await copyFile(join(home, 'lib/security/cacerts'), store);
  const into = ['-keystore', store, '-storepass', STORE_PASSWORD];
  await run('keytool', ['-importcert', '-noprompt', '-alias', 'test', '-file', certificate, ...into], {
    env: inheritedEnvironment(),
  });
  return { MAVEN_OPTS: `-Djavax.net.ssl.trustStore=${store}` };
}

/** Has Jib's library push with the file that `docker login` left. */
export async function pushByJibCore(visit: Visit): Promise<void> {
  const config = JSON.stringify({ auths: { [NAME]: { auth: basic(visit.env['SECRET'] ?? '') } } });
  await visit.write('robot.json', config);
  const target = `${NAME}/team-a/jib-core:1.0.0`;
  await runJava(visit, 'PushByJibCore', [target, join(visit.directory, 'robot.json'), 'notes.txt']);
  await visit.registry.verify('team-a/jib-core', '1.0.0');
}

/** Has testcontainers pull by the daemon, with the login that it finds in docker's file. */
export async function pullByTestcontainers(visit: Visit): Promise<void> {
  await visit.run('docker', ['image', 'rm', '--force', IMAGE]);
  await runJava(visit, 'PullByTestcontainers', [IMAGE]);
  await visit.run('docker', ['image', 'inspect', IMAGE]);
}

async function runJava(visit: Visit, name: string, args: readonly string[]): Promise<void> {
  const file = join(visit.directory, 'classpath');
  const resolve = ['dependency:build-classpath', `-Dmdep.outputFile=${file}`];
  await visit.run('mvn', ['--batch-mode', '--quiet', '--file', join(SOURCES, 'pom.xml'), ...resolve]);
  const classpath = `${visit.directory}:${await readFile(file, 'utf8')}`;
  await visit.run('javac', ['-d', visit.directory, '-cp', classpath, join(SOURCES, `${name}.java`)]);
  await visit.run('java', [visit.env['MAVEN_OPTS'] ?? '', '-cp', classpath, name, ...args]);
}

const basic = (secret: string) => Buffer.from(`robot/ci:${secret}`).toString('base64');
