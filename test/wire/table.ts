import type { Group } from './row.ts';
import { apiGroups } from './rows/api.ts';
import { blobGroups } from './rows/blobs.ts';
import { listingGroups } from './rows/listings.ts';
import { manifestReadGroups } from './rows/manifest-reads.ts';
import { manifestRefusalGroups } from './rows/manifest-refusals.ts';
import { manifestTagGroups } from './rows/manifest-tags.ts';
import { manifestGroups } from './rows/manifests.ts';
import { referrerGroups } from './rows/referrers.ts';
import { singlePostGroups } from './rows/single-post.ts';
import { uploadClosingGroups } from './rows/upload-closing.ts';
import { uploadGroups } from './rows/uploads.ts';

/** What a client may send and what it gets, by endpoint. Every host must answer every row.
 *  https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#endpoints */
export const WIRE_TABLE: readonly Group[] = [
  ...apiGroups,
  ...uploadGroups,
  ...uploadClosingGroups,
  ...singlePostGroups,
  ...blobGroups,
  ...manifestGroups,
  ...manifestReadGroups,
  ...manifestRefusalGroups,
  ...manifestTagGroups,
  ...listingGroups,
  ...referrerGroups,
];
