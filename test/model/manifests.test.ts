import { isSafe } from './exhaustive.ts';
import { OF_MANIFESTS } from './scenarios.ts';

isSafe(OF_MANIFESTS, {
  'a push of an index whose child is deleted, and two sweeps': 308_977,
  'a restore as the quarantine ends, and two sweeps': 216_736,
  'two deletes of an image, a restore between them, and a sweep': 13_647,
  'a push of an index whose child retention removes, and two sweeps': 161_363,
  'two pushes of an image that retention removes, and a sweep': 42_860,
  'a delete of an image with many tags, one of which moves away and back': 5_438,
});
