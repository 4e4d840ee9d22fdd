import { isSafe } from './exhaustive.ts';
import { OF_MANIFESTS } from './scenarios.ts';

isSafe(OF_MANIFESTS, {});
