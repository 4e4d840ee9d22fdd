import type { Probe } from './probe.ts';
import { atOnce } from './probes/at-once.ts';
import { challenge } from './probes/challenge.ts';
import { clock } from './probes/clock.ts';
import { deletion } from './probes/deletion.ts';
import { put5, put200, put2000, wrongDigest } from './probes/direct.ts';
import { downloads, ranges } from './probes/downloads.ts';
import { edgeLimits } from './probes/edge-limits.ts';
import { events, manifestAtOnce } from './probes/events.ts';
import { heads } from './probes/heads.ts';
import { inline } from './probes/inline.ts';
import { keys } from './probes/keys.ts';
import { origin } from './probes/origin.ts';
import { patch5, patch40, patchRedirect, patchSmall } from './probes/patches.ts';
import { reach } from './probes/reach.ts';
import { replay } from './probes/replay.ts';
import { smuggling } from './probes/smuggling.ts';
import { token } from './probes/token.ts';
import { uploadLocation } from './probes/upload-location.ts';
import { uploadToken } from './probes/upload-token.ts';

/** In the order in which they are run: what the later ones rest on comes first. */
export const PROBES: readonly Probe[] = [
  reach,
  challenge,
  token,
  clock,
  keys,
  inline,
  heads,
  uploadLocation,
  put5,
  put200,
  put2000,
  wrongDigest,
  replay,
  uploadToken,
  edgeLimits,
  smuggling,
  patchSmall,
  patch5,
  patch40,
  patchRedirect,
  downloads,
  ranges,
  events,
  manifestAtOnce,
  deletion,
  atOnce,
  origin,
];

export const PROBE_NAMES = PROBES.map(({ name }) => name);
