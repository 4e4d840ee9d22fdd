import { isSafe } from './exhaustive.ts';
import { OF_MANIFESTS } from './scenarios.ts';

isSafe(OF_MANIFESTS, {
  'a push of an index whose child is deleted, and two sweeps': 789_197,
  'a push of an index, and two deletes of its child': 4_085,
  'a push that tags an image which retention removes, and two sweeps': 29_598,
  'a restore as the quarantine ends, and two sweeps': 918_087,
  'two deletes of an image, a restore between them, and a sweep': 19_556,
  'a push of an index whose child retention removes, and two sweeps': 355_968,
  'two pushes of an image that retention removes, and a sweep': 88_657,
  'a delete of an image with many tags, one of which moves away and back': 5_210,
});
