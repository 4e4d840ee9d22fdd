import { readFileSync } from 'node:fs';
import { copyFile, mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { expect, it, onTestFinished } from 'vitest';
import { createApp } from '../../functions/app.ts';
import { readCertificate, watchCertificate } from '../../local/certificate.ts';
import { serve } from '../../local/server.ts';
import { openFixture } from '../registry/fixture.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';

const TLS = join(import.meta.dirname, 'tls');
const OLD = { certFile: join(TLS, 'cert.pem'), keyFile: join(TLS, 'key.pem') };
const RENEWED = { certFile: join(TLS, 'renewed-cert.pem'), keyFile: join(TLS, 'renewed-key.pem') };

/** The name in the certificate that whoever connects is shown. */
function shownBy(url: string): Promise<string> {
  const { hostname: host, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const ca = [readFileSync(OLD.certFile), readFileSync(RENEWED.certFile)];
    const socket = connect({ host, port: Number(port), ca }, () => {
      resolve(`${socket.getPeerCertificate().subject.CN}`);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

/** A registry whose certificate and key are copies in a folder. */
async function open() {
  const folder = await scratch();
  const files = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') };
  await copyFile(OLD.certFile, files.certFile);
  await copyFile(OLD.keyFile, files.keyFile);
  return { folder, files };
}

async function openServer(files: typeof OLD) {
  const tls = readCertificate(files);
  const { registry } = await openFixture();
  const server = await serve(createApp({ registry }), { host: '127.0.0.1', port: 0, tls });
  onTestFinished(() => server.close());
  const told: string[] = [];
  const renewal = { take: server.renew.bind(server), tell: (what: string) => void told.push(what) };
  const { look, stop } = watchCertificate(tls, { ...renewal, everyMs: 60_000 });
  onTestFinished(stop);
  return { url: server.url, told, look };
}

it('a renewed certificate is shown without a restart, and connections that are open go on', async () => {
  const { files } = await open();
  const { url, told, look } = await openServer(files);
  expect(await shownBy(url)).toBe('127.0.0.1');
  look();
  expect(told).toEqual([]);
  await copyFile(RENEWED.certFile, files.certFile);
  await copyFile(RENEWED.keyFile, files.keyFile);
  look();
  expect(await shownBy(url)).toBe('renewed');
  expect(told).toEqual([`the certificate in ${files.certFile} was renewed`]);
});

it('a certificate that a link leads to is renewed by moving the link, as Kubernetes does', async () => {
  const folder = await scratch();
  for (const [name, files] of Object.entries({ old: OLD, renewed: RENEWED })) {
    await mkdir(join(folder, name));
    await copyFile(files.certFile, join(folder, name, 'tls.crt'));
    await copyFile(files.keyFile, join(folder, name, 'tls.key'));
  }
  await symlink('old', join(folder, '..data'));
  const files = { certFile: join(folder, '..data/tls.crt'), keyFile: join(folder, '..data/tls.key') };
  const { url, look } = await openServer(files);
  await symlink('renewed', join(folder, '..next'));
  await rename(join(folder, '..next'), join(folder, '..data'));
  look();
  expect(await shownBy(url)).toBe('renewed');
});

it('a pair that does not fit is not taken, and told once it has not come to fit', async () => {
  const { files } = await open();
  const { url, told, look } = await openServer(files);
  await copyFile(RENEWED.certFile, files.certFile);
  look();
  expect(told).toEqual([]);
  look();
  look();
  expect(await shownBy(url)).toBe('127.0.0.1');
  expect(told).toEqual([
    expect.stringContaining(`${files.certFile} and ${files.keyFile} are no certificate and its key`),
  ]);
  await writeFile(files.keyFile, readFileSync(RENEWED.keyFile));
  look();
  expect(await shownBy(url)).toBe('renewed');
});

it('SIGHUP has the files looked at, and does not end the registry', async () => {
  const { files } = await open();
  const environment = { STOWAGE_TLS_CERT: files.certFile, STOWAGE_TLS_KEY: files.keyFile };
  const registry = await RegistryProcess.start(await scratch(), environment);
  onTestFinished(() => registry.stop('SIGKILL'));
  await copyFile(RENEWED.certFile, files.certFile);
  await copyFile(RENEWED.keyFile, files.keyFile);
  registry.signal('SIGHUP');
  await expect.poll(() => shownBy(registry.url)).toBe('renewed');
});

it('a start with a pair that does not fit is refused, and names both files', () => {
  const files = { certFile: OLD.certFile, keyFile: RENEWED.keyFile };
  expect(() => readCertificate(files)).toThrow(`${files.certFile} and ${files.keyFile} are no certificate`);
});
