import { isSafe } from './exhaustive.ts';
import { LARGE, OF_BLOBS } from './scenarios.ts';

isSafe(OF_BLOBS, {
  'a push and three sweeps': 235_425,
  'a push, a delete of its blob, and two sweeps that read edges first': 290_384,
  'two pushes of images that share a blob, and two sweeps': 465_156,
  'two pushes of an image, and a delete of its blob': 2_455,
  'two pushes of an image whose blob is missing, of whom one uploads it, and a delete of it': 5_408,
  'two pushes of an image of very many blobs that are missing, of whom one uploads them, and a delete': 12_195,
  'an upload of a blob that another client deletes and a sweep may take': 263_176,
  'a push that mounts, and a sweep of either repository': 57_021,
  'a push that mounts a blob whose source is deleted, and a sweep of either repository': 1_016_026,
  'a push of an image of two blobs, and a sweep that goes on where the last one stopped': 22_851,
  'a push of an image of two blobs, a sweep that goes on, and two that die as they begin': 3_492,
  'a push of an image of two blobs, and two sweeps page by page': 80_370,
});

// Minutes: `MODEL=large npx vitest run test/model`.
if (process.env['MODEL'] === 'large') {
  isSafe(LARGE, {
    'two pushes of an image of very many blobs, and two sweeps': 543_257,
    'a push, and three sweeps that stop and go on': 1_308_843,
    'a push of an image of two blobs, and three sweeps that stop and go on': 2_355_227,
    'a push of an image of two blobs, a sweep, and two that stop and go on': 6_206_363,
  });
}
