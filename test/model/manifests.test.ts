import { isSafe } from './exhaustive.ts';
import { OF_MANIFESTS } from './scenarios.ts';

isSafe(OF_MANIFESTS, {
  'a push of an index whose child is deleted, and two sweeps': 736_431,
  'a push of an index, and two deletes of its child': 3_876,
  'a push that tags an image which retention removes, and two sweeps': 29_598,
  'a restore as the quarantine ends, and two sweeps': 863_219,
  'two deletes of an image, a restore between them, and a sweep': 19_335,
  'a push of an index whose child retention removes, and two sweeps': 349_378,
  'two pushes of an image that retention removes, and a sweep': 86_939,
  'a delete of an image with many tags, one of which moves away and back': 5_210,
});
