const MIB = 1024 * 1024;

/** How much each workload does. */
export interface Scale {
  readonly blobBytes: number;
  readonly blobRounds: number;
  /** Of 1 MB. */
  readonly pulledBlobs: number;
  readonly imageLayers: number;
  readonly layerBytes: number;
  readonly manifestGets: number;
  readonly manifestsPerWriter: number;
  readonly tags: number;
  readonly tagLists: number;
  readonly rounds: number;
  readonly starts: number;
  /** Of clients at once. */
  readonly crowds: readonly number[];
  /** Of each kind that a crowd makes. */
  readonly changes: number;
  /** How many clients of a kind are slow on purpose, at once. */
  readonly slowClients: number;
  /** Of the client beside them, who is not. */
  readonly honestPulls: number;
  /** Requests of each of zot's tests, and how often each registry has them. */
  readonly zbRequests: number;
  readonly zbRounds: number;
  /** How long nothing is asked of a server before its memory at rest is read. */
  readonly quietSeconds: number;
}

/** What results are published from. */
export const FULL: Scale = {
  blobBytes: 1024 * MIB,
  blobRounds: 3,
  pulledBlobs: 1_000,
  imageLayers: 20,
  layerBytes: 5_000_000,
  manifestGets: 10_000,
  manifestsPerWriter: 30,
  tags: 10_000,
  tagLists: 50,
  rounds: 5,
  starts: 20,
  crowds: [2, 8, 50, 200],
  changes: 256,
  slowClients: 1_000,
  honestPulls: 200,
  zbRequests: 200,
  zbRounds: 3,
  quietSeconds: 10,
};

/** Shows in a minute that everything works; its numbers mean little. */
export const QUICK: Scale = {
  blobBytes: 32 * MIB,
  blobRounds: 1,
  pulledBlobs: 20,
  imageLayers: 5,
  layerBytes: 1_000_000,
  manifestGets: 500,
  manifestsPerWriter: 2,
  tags: 200,
  tagLists: 5,
  rounds: 1,
  starts: 1,
  crowds: [8, 50],
  changes: 48,
  slowClients: 50,
  honestPulls: 20,
  zbRequests: 8,
  zbRounds: 1,
  quietSeconds: 1,
};
