import { isSafe } from './exhaustive.ts';
import { LARGE, OF_BLOBS } from './scenarios.ts';

isSafe(OF_BLOBS, {
  'a push and three sweeps': 112_200,
  'a push, a delete of its blob, and two sweeps that read edges first': 54_259,
  'two pushes of images that share a blob, and two sweeps': 209_336,
  'an upload of a blob that another client deletes and a sweep may take': 39_626,
  'a push that mounts, and a sweep of either repository': 43_733,
  'a push that mounts a blob whose source is deleted, and a sweep of either repository': 343_309,
  'a push of an image of two blobs, and a sweep that goes on where the last one stopped': 13_830,
  'a push of an image of two blobs, and two sweeps page by page': 38_547,
});

// Minutes: `MODEL=large npx vitest run test/model`.
if (process.env['MODEL'] === 'large') {
  isSafe(LARGE, {
    'a push, and three sweeps that stop and go on': 792_339,
    'a push of an image of two blobs, and three sweeps that stop and go on': 1_357_742,
    'a push of an image of two blobs, a sweep, and two that stop and go on': 3_669_926,
  });
}
