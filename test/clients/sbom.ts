import { writeFile } from 'node:fs/promises';
import type { Desk } from './client.ts';
import { addJson, createLayout, type Descriptor, MEDIA_TYPES, tagLayout } from './layout.ts';

export const SBOM_TYPE = 'application/vnd.example.sbom.v1';
export const SBOM_MEDIA_TYPE = 'application/json';

/** A bill of materials that no other client's is equal to. */
function sbomOf(client: string, subject: string): object {
  return { made: client, of: subject, packages: ['base-files', 'dash', 'coreutils'] };
}

/** Writes one as `sbom.json` on the desk, for the clients that attach files; returns its bytes. */
export async function writeSbom(desk: Desk, subject: string): Promise<string> {
  const text = JSON.stringify(sbomOf(desk.client, subject), undefined, 2);
  await writeFile(desk.file('sbom.json'), text);
  return text;
}

/** Makes `directory` a layout of an artifact whose subject is the image; returns the artifact's descriptor. */
export async function sbomLayout(
  directory: string,
  client: string,
  subject: Descriptor,
): Promise<Descriptor> {
  await createLayout(directory);
  const artifact = await addJson(directory, MEDIA_TYPES.manifest, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    artifactType: SBOM_TYPE,
    config: await addJson(directory, MEDIA_TYPES.empty, {}),
    layers: [await addJson(directory, SBOM_MEDIA_TYPE, sbomOf(client, subject.digest))],
    subject,
  });
  await tagLayout(directory, artifact);
  return artifact;
}
