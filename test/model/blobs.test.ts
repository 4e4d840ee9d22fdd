import { isSafe } from './exhaustive.ts';
import { LARGE, OF_BLOBS } from './scenarios.ts';

isSafe(OF_BLOBS, {
  'a push and three sweeps': 229_441,
  'a push, a delete of its blob, and two sweeps that read edges first': 280_357,
  'two pushes of images that share a blob, and two sweeps': 453_826,
  'two pushes of an image, and a delete of its blob': 1_821,
  'an upload of a blob that another client deletes and a sweep may take': 194_471,
  'a push that mounts, and a sweep of either repository': 56_676,
  'a push that mounts a blob whose source is deleted, and a sweep of either repository': 1_004_926,
  'a push of an image of two blobs, and a sweep that goes on where the last one stopped': 21_941,
  'a push of an image of two blobs, a sweep that goes on, and two that die as they begin': 3_464,
  'a push of an image of two blobs, and two sweeps page by page': 74_404,
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
