import type { Scale } from '../scale.ts';
import { getManifest } from './get-manifest.ts';
import { listTags } from './list-tags.ts';
import { pullBlob } from './pull-blob.ts';
import { pullBlobsOf1Megabyte, pullBlobsOf2Kilobytes, pullBlobsOf10Megabytes } from './pull-blobs.ts';
import { pushBlobPatch, pushBlobPut } from './push-blob.ts';
import { pushImage } from './push-image.ts';
import { pushManifests } from './push-manifests.ts';
import type { Workload } from './workload.ts';

/** Makes a workload when its turn comes: some hold a large blob from the start. */
type WorkloadMaker = (scale: Scale) => Workload;

/** Every workload under the name the command line knows it by, in the order of the report. */
export const WORKLOADS: ReadonlyMap<string, WorkloadMaker> = new Map([
  ['push-blob-put', pushBlobPut],
  ['push-blob-patch', pushBlobPatch],
  ['pull-blob', pullBlob],
  ['pull-2kb', pullBlobsOf2Kilobytes],
  ['pull-1mb', pullBlobsOf1Megabyte],
  ['pull-10mb', pullBlobsOf10Megabytes],
  ['push-image', pushImage],
  ['get-manifest', getManifest],
  ['push-manifests', pushManifests],
  ['list-tags', listTags],
]);
