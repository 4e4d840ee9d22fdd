import { deleteBlob, deleteManifest, moveTagAway, retention } from './deletions.ts';
import { twins } from './explorer.ts';
import type { Protocol } from './protocol.ts';
import { askAndPush, mountAndPush, push } from './push.ts';
import { quarantineEnds, restore } from './restore.ts';
import type { Scenario } from './start.ts';
import { sweep } from './sweep.ts';

const image = { blobs: [0], manifests: [] };
const index = { blobs: [], manifests: [0] };

const oneImage = { repositories: 1, blobs: 1, manifests: [image] };
const imageAndIndex = { repositories: 1, blobs: 1, manifests: [image, index] };
/** Blob 0 in repository 0, that nothing uses. */
const aBlob = { links: [[0, 0]] } as const;
const anImage = { ...aBlob, manifests: [[0, 0]] } as const;

const twoBlobs = { repositories: 1, blobs: 2, manifests: [{ blobs: [0, 1], manifests: [] }] };
const bothBlobs = {
  links: [
    [0, 0],
    [0, 1],
  ],
  epoch: 1,
} as const;
const shortSweep = (p: Protocol) => sweep(p, { name: 'short sweep', page: 1, stops: true });

/** Each is small enough that every order of all its steps can be looked at. All blobs and manifests were last touched in
 *  epoch 0; where they begin in epoch 1, one sweep is enough to make them old. */
export const OF_BLOBS = {
  'a push and three sweeps': {
    shape: oneImage,
    start: aBlob,
    actors: (p) => [askAndPush(p, { manifest: 0 }), ...twins(sweep(p), 3)],
  },
  'a push, a delete of its blob, and two sweeps that read edges first': {
    shape: oneImage,
    start: { ...aBlob, epoch: 1 },
    actors: (p) => [
      askAndPush(p, { manifest: 0 }),
      deleteBlob(p, { blob: 0 }),
      ...twins(sweep(p, { edgesFirst: true, manifestsLast: true }), 2),
    ],
  },
  'two pushes of images that share a blob, and two sweeps': {
    shape: { repositories: 1, blobs: 1, manifests: [image, image] },
    start: { ...aBlob, epoch: 1 },
    actors: (p) => [
      askAndPush(p, { name: 'push 1', manifest: 0 }),
      push(p, { name: 'push 2', manifest: 1 }),
      ...twins(sweep(p), 2),
    ],
  },
  'two pushes of an image, and a delete of its blob': {
    shape: oneImage,
    start: aBlob,
    actors: (p) => [...twins(push(p, { manifest: 0 }), 2), deleteBlob(p, { blob: 0 })],
  },
  'two pushes of an image whose blob is missing, of whom one uploads it, and a delete of it': {
    shape: oneImage,
    start: {},
    actors: (p) => [push(p, { manifest: 0 }), askAndPush(p, { manifest: 0 }), deleteBlob(p, { blob: 0 })],
  },
  'two pushes of an image of very many blobs that are missing, of whom one uploads them, and a delete': {
    shape: oneImage,
    start: {},
    actors: (p) => [
      push(p, { manifest: 0, apart: true }),
      askAndPush(p, { manifest: 0, apart: true }),
      deleteBlob(p, { blob: 0 }),
    ],
  },
  'an upload of a blob that another client deletes and a sweep may take': {
    shape: oneImage,
    start: { ...aBlob, epoch: 1 },
    actors: (p) => [...twins(askAndPush(p, { manifest: 0 }), 2), deleteBlob(p, { blob: 0 }), sweep(p)],
  },
  'a push that mounts, and a sweep of either repository': {
    shape: { repositories: 2, blobs: 1, manifests: [image] },
    start: {
      links: [
        [0, 0],
        [1, 0],
      ],
      epoch: 1,
    },
    actors: (p) => [
      mountAndPush(p, { manifest: 0, blob: 0, from: 0 }),
      push(p, { name: 'push to the source', manifest: 0 }),
      sweep(p, { name: 'sweep of the source' }),
      sweep(p, { name: 'sweep of the target', repository: 1 }),
    ],
  },
  'a push that mounts a blob whose source is deleted, and a sweep of either repository': {
    shape: { repositories: 2, blobs: 1, manifests: [image] },
    start: { ...aBlob, epoch: 1 },
    actors: (p) => [
      mountAndPush(p, { manifest: 0, blob: 0, from: 0 }),
      deleteBlob(p, { blob: 0 }),
      sweep(p, { name: 'sweep of the source' }),
      ...twins(sweep(p, { name: 'sweep of the target', repository: 1 }), 2),
    ],
  },
  'a push of an image of two blobs, and a sweep that goes on where the last one stopped': {
    shape: twoBlobs,
    start: bothBlobs,
    actors: (p) => [push(p, { manifest: 0 }), ...twins(shortSweep(p), 2)],
  },
  'a push of an image of two blobs, a sweep that goes on, and two that die as they begin': {
    shape: twoBlobs,
    start: { ...bothBlobs, passed: 1 },
    actors: (p) => [push(p, { manifest: 0 }), shortSweep(p), ...twins(sweep(p, { dies: true }), 2)],
  },
  'a push of an image of two blobs, and two sweeps page by page': {
    shape: twoBlobs,
    start: bothBlobs,
    actors: (p) => [push(p, { manifest: 0 }), ...twins(sweep(p, { page: 1 }), 2)],
  },
} satisfies Record<string, Scenario>;

/** Likewise. */
export const OF_MANIFESTS = {
  'a push of an index whose child is deleted, and two sweeps': {
    shape: imageAndIndex,
    start: { ...anImage, tags: [[0, 0]], epoch: 1 },
    actors: (p) => [
      askAndPush(p, { name: 'push of the index', manifest: 1 }),
      deleteManifest(p, { manifest: 0 }),
      ...twins(sweep(p), 2),
      quarantineEnds(p),
    ],
  },
  'a push of an index, and two deletes of its child': {
    shape: imageAndIndex,
    start: anImage,
    actors: (p) => [
      push(p, { name: 'push of the index', manifest: 1 }),
      ...twins(deleteManifest(p, { manifest: 0 }), 2),
    ],
  },
  'a push that tags an image which retention removes, and two sweeps': {
    shape: oneImage,
    start: anImage,
    actors: (p) => [push(p, { manifest: 0 }), retention(p, { manifest: 0 }), ...twins(sweep(p), 2)],
  },
  'a restore as the quarantine ends, and two sweeps': {
    shape: oneImage,
    start: { ...aBlob, graves: [[0, 0]], epoch: 1 },
    actors: (p) => [
      restore(p, { manifest: 0 }),
      quarantineEnds(p),
      ...twins(sweep(p), 2),
      deleteBlob(p, { blob: 0 }),
    ],
  },
  'two deletes of an image, a restore between them, and a sweep': {
    shape: oneImage,
    start: { ...anImage, epoch: 1 },
    actors: (p) => [
      ...twins(deleteManifest(p, { manifest: 0 }), 2),
      restore(p, { manifest: 0 }),
      quarantineEnds(p),
      sweep(p),
    ],
  },
  'a push of an index whose child retention removes, and two sweeps': {
    shape: imageAndIndex,
    start: { ...anImage, epoch: 1 },
    actors: (p) => [
      askAndPush(p, { name: 'push of the index', manifest: 1 }),
      retention(p, { manifest: 0 }),
      ...twins(sweep(p), 2),
      quarantineEnds(p),
    ],
  },
  'two pushes of an image that retention removes, and a sweep': {
    shape: oneImage,
    start: { ...anImage, epoch: 2 },
    actors: (p) => [
      ...twins(push(p, { manifest: 0 }), 2),
      retention(p, { manifest: 0 }),
      quarantineEnds(p),
      sweep(p),
    ],
  },
  'a delete of an image with many tags, one of which moves away and back': {
    shape: oneImage,
    start: { ...anImage, tags: [[0, 0]] },
    actors: (p) => [
      deleteManifest(p, { manifest: 0, beyond: true }),
      moveTagAway(p, { manifest: 0 }),
      push(p, { manifest: 0 }),
      sweep(p),
    ],
  },
} satisfies Record<string, Scenario>;

/** Minutes each. */
export const LARGE = {
  'two pushes of an image of very many blobs, and two sweeps': {
    shape: oneImage,
    start: aBlob,
    actors: (p) => [...twins(push(p, { manifest: 0, apart: true }), 2), ...twins(sweep(p), 2)],
  },
  'a push, and three sweeps that stop and go on': {
    shape: oneImage,
    start: { ...aBlob, epoch: 1 },
    actors: (p) => [askAndPush(p, { manifest: 0 }), ...twins(shortSweep(p), 3)],
  },
  'a push of an image of two blobs, and three sweeps that stop and go on': {
    shape: twoBlobs,
    start: bothBlobs,
    actors: (p) => [push(p, { manifest: 0 }), ...twins(shortSweep(p), 3)],
  },
  'a push of an image of two blobs, a sweep, and two that stop and go on': {
    shape: twoBlobs,
    start: bothBlobs,
    actors: (p) => [push(p, { manifest: 0 }), ...twins(shortSweep(p), 2), sweep(p)],
  },
} satisfies Record<string, Scenario>;
