import { deleteBlob, deleteManifest, moveTagAway, retention } from './deletions.ts';
import { mountAndPush, push } from './push.ts';
import { quarantineEnds, restore } from './restore.ts';
import type { Scenario } from './start.ts';
import { sweep } from './sweep.ts';

const image = { blobs: [0], manifests: [] };
const other = { blobs: [0], manifests: [] };
const index = { blobs: [], manifests: [0] };

/** A blob that nothing uses yet, and what may happen to it while a client that has asked for it pushes its manifest. */
const oneBlob = { repositories: 1, blobs: 1, manifests: [image] };

export const SCENARIOS = {
  'a push, three sweeps': {
    shape: oneBlob,
    start: { links: [[0, 0]] },
    actors: (p) => [
      push(p, { manifest: 0, head: true }),
      sweep(p, { name: 'sweep A' }),
      sweep(p, { name: 'sweep B' }),
      sweep(p, { name: 'sweep C' }),
    ],
  },
  'a push, two sweeps that read edges first, a delete of the blob': {
    shape: oneBlob,
    start: { links: [[0, 0]], epoch: 1 },
    actors: (p) => [
      push(p, { manifest: 0, head: true }),
      sweep(p, { name: 'sweep A', edgesFirst: true }),
      sweep(p, { name: 'sweep B', edgesFirst: true }),
      deleteBlob(p, { blob: 0 }),
    ],
  },
  'two pushes of images that share a blob, two sweeps': {
    shape: { repositories: 1, blobs: 1, manifests: [image, other] },
    start: { links: [[0, 0]], epoch: 1 },
    actors: (p) => [
      push(p, { name: 'push 1', manifest: 0, head: true }),
      push(p, { name: 'push 2', manifest: 1 }),
      sweep(p, { name: 'sweep A' }),
      sweep(p, { name: 'sweep B' }),
    ],
  },
  'two repositories: a push that mounts, a sweep of each and a delete': {
    shape: { repositories: 2, blobs: 1, manifests: [image] },
    start: { links: [[0, 0]], epoch: 1 },
    actors: (p) => [
      mountAndPush(p, { manifest: 0, blob: 0, from: 0 }),
      sweep(p, { name: 'sweep of the first', repository: 0 }),
      sweep(p, { name: 'sweep of the second', repository: 1 }),
      deleteBlob(p, { repository: 0, blob: 0 }),
    ],
  },
  'two repositories: two links of one blob, a sweep of each, a mount': {
    shape: { repositories: 3, blobs: 1, manifests: [image] },
    start: {
      links: [
        [0, 0],
        [1, 0],
      ],
      epoch: 1,
    },
    actors: (p) => [
      sweep(p, { name: 'sweep of the first', repository: 0 }),
      sweep(p, { name: 'sweep of the second', repository: 1 }),
      mountAndPush(p, { repository: 2, manifest: 0, blob: 0, from: 0 }),
    ],
  },
  'a manifest is deleted while an index over it is pushed': {
    shape: { repositories: 1, blobs: 1, manifests: [image, index] },
    start: { links: [[0, 0]], manifests: [[0, 0]], tags: [[0, 0]], epoch: 1 },
    actors: (p) => [
      push(p, { name: 'push of the index', manifest: 1, head: true }),
      deleteManifest(p, { manifest: 0 }),
      sweep(p, { name: 'sweep A' }),
      quarantineEnds(p),
    ],
  },
  'a deleted image is restored as its grave expires': {
    shape: oneBlob,
    start: { links: [[0, 0]], graves: [[0, 0]], epoch: 1 },
    actors: (p) => [
      restore(p, { manifest: 0 }),
      quarantineEnds(p),
      sweep(p, { name: 'sweep A' }),
      sweep(p, { name: 'sweep B' }),
    ],
  },
  'an image is deleted, restored and deleted again': {
    shape: oneBlob,
    start: { links: [[0, 0]], manifests: [[0, 0]], epoch: 1 },
    actors: (p) => [
      deleteManifest(p, { manifest: 0 }),
      restore(p, { manifest: 0 }),
      deleteManifest(p, { manifest: 0 }),
      quarantineEnds(p),
      sweep(p, { name: 'sweep A' }),
    ],
  },
  'retention removes an untagged image while an index over it is pushed': {
    shape: { repositories: 1, blobs: 1, manifests: [image, index] },
    start: { links: [[0, 0]], manifests: [[0, 0]], epoch: 1 },
    actors: (p) => [
      push(p, { name: 'push of the index', manifest: 1, head: true }),
      retention(p, { manifest: 0 }),
      sweep(p, { name: 'sweep A' }),
      sweep(p, { name: 'sweep B' }),
    ],
  },
  'retention removes an untagged image as it is tagged': {
    shape: oneBlob,
    start: { links: [[0, 0]], manifests: [[0, 0]], epoch: 2 },
    actors: (p) => [
      push(p, { name: 'push of the tag', manifest: 0, head: true }),
      retention(p, { manifest: 0 }),
      quarantineEnds(p),
      sweep(p, { name: 'sweep A' }),
    ],
  },
  'an image of many tags is deleted as one of them moves away and back': {
    shape: oneBlob,
    start: { links: [[0, 0]], manifests: [[0, 0]], tags: [[0, 0]] },
    actors: (p) => [
      deleteManifest(p, { manifest: 0, beyond: true }),
      moveTagAway(p, { manifest: 0 }),
      push(p, { name: 'push', manifest: 0 }),
    ],
  },
  'two images of two blobs, and sweeps that go on where the last one stopped': {
    shape: { repositories: 1, blobs: 2, manifests: [{ blobs: [0, 1], manifests: [] }] },
    start: {
      links: [
        [0, 0],
        [0, 1],
      ],
      epoch: 1,
    },
    actors: (p) => [
      push(p, { manifest: 0, head: true }),
      sweep(p, { name: 'sweep A', page: 1, stops: true }),
      sweep(p, { name: 'sweep B', page: 1, stops: true }),
      sweep(p, { name: 'sweep C', page: 1, stops: true }),
    ],
  },
} satisfies Record<string, Scenario>;

export type ScenarioName = keyof typeof SCENARIOS;
