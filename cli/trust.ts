import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { Failure } from './failure.ts';
import { savedLogin } from './saved-logins.ts';

/** Trusts the CAs of a PEM file besides those that are trusted anyway: of the one that is named, or else of the one that the login
 *  at this registry was made with. Answers its absolute path. */
export async function trust(url: string, named: string | undefined): Promise<string | undefined> {
  if (named !== undefined) {
    trustFile(named, `--ca ${named}`);
    return resolve(named);
  }
  const kept = (await savedLogin(url))?.ca;
  if (kept !== undefined)
    trustFile(kept, `the CA of the login to ${url}, ${kept}`, '; name it with --ca FILE');
  return kept;
}

function trustFile(file: string, what: string, cure = ''): void {
  try {
    const certificates = readFileSync(file, 'utf8').match(CERTIFICATE) ?? [];
    if (certificates.length === 0) throw new Error('there is no certificate in it');
    setDefaultCACertificates([...getCACertificates('default'), ...certificates]);
  } catch (error) {
    throw new Failure(`${what}: ${(error as Error).message}${cure}`);
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
