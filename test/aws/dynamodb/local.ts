import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../../free-port.ts';
import { type DynamoDbServer, startServer } from './server.ts';

const VERSION = '3.3.1';

/** Not in git. */
const FOLDER = join(import.meta.dirname, '../../../scratch/dynamodb-local', VERSION);

const POM = `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>stowage</groupId>
  <artifactId>dynamodb-local</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>software.amazon.dynamodb</groupId>
      <artifactId>DynamoDBLocal</artifactId>
      <version>${VERSION}</version>
    </dependency>
  </dependencies>
</project>
`;

/** AWS's own DynamoDB Local, in memory: a second opinion, never a dependency (its licence forbids passing it on).
 *  Takes `mvn`, Java 17 and, the first time, a minute. */
export async function startDynamoDbLocal(): Promise<DynamoDbServer> {
  const libraries = join(FOLDER, 'lib');
  await mkdir(FOLDER, { recursive: true });
  await writeFile(join(FOLDER, 'pom.xml'), POM);
  await promisify(execFile)('mvn', ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=lib'], {
    cwd: FOLDER,
  });
  const port = await freePort();
  return startServer(port, 'java', [
    ...[`-Djava.library.path=${libraries}`, '-cp', join(libraries, '*')],
    'software.amazon.dynamodb.services.local.main.ServerRunner',
    ...['-inMemory', '-disableTelemetry', '-port', `${port}`],
  ]);
}
