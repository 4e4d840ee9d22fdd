import { type Ledger, sha256 } from './pusher.ts';

/** What is not as promised in a registry that was started anew: whole manifests, true bytes, tags that resolve, and everything
 *  that was acknowledged. */
export async function brokenPromises(
  url: string,
  { acknowledged, attempted }: Ledger,
): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const path of attempted) {
    const problem = await check(url, path, acknowledged.has(path));
    if (problem) problems.push(`${path}: ${problem}`);
  }
  return problems;
}

async function check(url: string, path: string, promised: boolean): Promise<string | undefined> {
  const response = await fetch(url + path);
  const bytes = await response.bytes();
  if (response.status === 404) return promised ? 'acknowledged, and lost' : undefined;
  if (response.status !== 200) return `status ${response.status}`;
  const digest = response.headers.get('docker-content-digest');
  if (sha256(bytes) !== digest || (path.includes(':') && !path.endsWith(digest))) return `holds other bytes`;
  return path.includes('/manifests/') ? checkManifest(url, path, bytes) : undefined;
}

async function checkManifest(url: string, path: string, bytes: Uint8Array): Promise<string | undefined> {
  const { config, layers } = JSON.parse(Buffer.from(bytes).toString());
  for (const { digest } of [config, ...layers]) {
    const blob = await fetch(url + path.replace(/manifests\/.*/, `blobs/${digest}`));
    if (blob.status !== 200 || sha256(await blob.bytes()) !== digest)
      return `can be read, its ${digest} cannot`;
  }
  return undefined;
}
