import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer } from '../../aws/dynamodb/server.ts';
import type { Credentials } from '../../aws/s3/signature.ts';
import { goInstall } from '../../clients/go-tools.ts';
import { freePort } from '../../free-port.ts';

const MODULE = 'github.com/versity/versitygw/cmd/versitygw';
const VERSION = 'v1.8.0';

/** Not in git. */
const FOLDER = join(import.meta.dirname, '../../../scratch/versitygw', VERSION);

/** Versity's S3 gateway on a directory that goes with it: a second opinion on what S3 does. `program` is where it is, or `1`
 *  to have Go make it, which takes two minutes the first time. */
export async function startVersitygw(program: string, { accessKeyId, secretAccessKey }: Credentials) {
  const port = await freePort();
  const directory = await mkdtemp(join(tmpdir(), 'stowage-versitygw-'));
  const [data, metadata] = [join(directory, 'data'), join(directory, 'metadata')];
  for (const each of [data, metadata]) await mkdir(each);
  const isMade = program === '1';
  if (isMade) await goInstall(`${MODULE}@${VERSION}`, FOLDER);
  // Metadata in files of their own: not every file system has extended attributes.
  const { endpoint, stop } = await startServer(port, isMade ? join(FOLDER, 'versitygw') : program, [
    ...['--access', accessKeyId, '--secret', secretAccessKey, '--port', `127.0.0.1:${port}`],
    ...['--keep-alive', '--quiet', 'posix', '--sidecar', metadata, data],
  ]);
  return {
    endpoint,
    async stop() {
      await stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
