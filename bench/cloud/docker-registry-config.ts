import { writeFileSync } from 'node:fs';
import { BUCKET, CREDENTIALS, REGION } from './settings.ts';

interface Place {
  /** Of the file. */
  readonly path: string;
  readonly port: number;
  readonly s3Url: string;
  readonly rootDirectory: string;
}

/** Writes a configuration for the CNCF registry's S3 driver and answers its path. Everything that it does not need to be
 *  told is as it comes; the cache of blob descriptors is on, as in Debian's. */
export function dockerRegistryConfig({ path, port, s3Url, rootDirectory }: Place): string {
  const text = `version: 0.1
log:
  level: error
  accesslog:
    disabled: true
storage:
  cache:
    blobdescriptor: inmemory
  s3:
    accesskey: ${CREDENTIALS.accessKeyId}
    secretkey: ${CREDENTIALS.secretAccessKey}
    region: ${REGION}
    regionendpoint: ${s3Url}
    forcepathstyle: true
    secure: false
    bucket: ${BUCKET}
    rootdirectory: ${rootDirectory}
  delete:
    enabled: true
  maintenance:
    uploadpurging:
      enabled: false
http:
  addr: 127.0.0.1:${port}
  secret: bench
`;
  writeFileSync(path, text);
  return path;
}
