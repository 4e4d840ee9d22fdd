import { isSafe } from './exhaustive.ts';
import { LARGE, OF_BLOBS } from './scenarios.ts';

isSafe(OF_BLOBS, {});

// Minutes: `MODEL=large npx vitest run test/model`.
isSafe(process.env['MODEL'] === 'large' ? LARGE : {}, {});
