import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';

/** A TLS certificate and its key, and the PEM files that they came from. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Reads both; fails where one cannot be read, or where they do not belong together. */
export function readCertificate({
  certFile,
  keyFile,
}: Pick<Certificate, 'certFile' | 'keyFile'>): Certificate {
  const [cert, key] = [readFileSync(certFile), readFileSync(keyFile)];
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    const why = `${certFile} and ${keyFile} are no certificate and its key: ${reasonOf(error)}`;
    throw new Error(why, { cause: error });
  }
  return { certFile, keyFile, cert, key };
}

/** Ours: links are followed, as Kubernetes renews by moving one, which no watch of a file would see. */
const LOOK_EVERY_MS = 5000;

interface Renewal {
  /** Given each pair that is another one than before. */
  take(renewed: Certificate): void;
  /** Told of each pair that was taken, and of one that cannot be: the one before stays. */
  tell(what: string): void;
  /** @default 5000 */
  readonly everyMs?: number;
}

/** Looks again and again whether somebody has renewed the certificate. `look` looks at once; `stop` ends it. */
export function watchCertificate(first: Certificate, { take, tell, everyMs = LOOK_EVERY_MS }: Renewal) {
  let [current, complaint, hasFailed] = [first, '', false];
  const look = (): void => {
    try {
      const found = readCertificate(current);
      [complaint, hasFailed] = ['', false];
      if (found.cert.equals(current.cert) && found.key.equals(current.key)) return;
      current = found;
      take(found);
      tell(`the certificate in ${found.certFile} was renewed`);
    } catch (error) {
      // Of two files one is written first: that they do not fit is only told when they still do not the next time.
      const why = hasFailed ? reasonOf(error) : '';
      if (why !== complaint) tell(`the certificate is not renewed, and the one before stays: ${why}`);
      [complaint, hasFailed] = [why, true];
    }
  };
  const timer = setInterval(look, everyMs).unref();
  return { look, stop: () => clearInterval(timer) };
}

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : `${error}`);
