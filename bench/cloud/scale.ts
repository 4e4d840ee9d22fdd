const MIB = 1024 * 1024;

/** How much each row of the comparison does. */
export interface CloudScale {
  /** Requests of each kind in a round. */
  readonly requests: number;
  readonly tags: number;
  readonly repositories: number;
  readonly imageLayers: number;
  readonly layerBytes: number;
  readonly images: number;
  readonly largeLayerBytes: number;
  readonly referrers: number;
  readonly deletes: number;
  readonly garbage: number;
  /** So much of it for the CNCF registry, which takes minutes for each thousand. */
  readonly otherGarbage: number;
  readonly rounds: number;
}

/** What results are published from. */
export const FULL: CloudScale = {
  requests: 100,
  tags: 10_000,
  repositories: 5_000,
  imageLayers: 20,
  layerBytes: 4_000_000,
  images: 2,
  largeLayerBytes: 1024 * MIB,
  referrers: 500,
  deletes: 1_000,
  garbage: 10_000,
  otherGarbage: 2_000,
  rounds: 3,
};

/** Shows in a minute that everything works; its numbers mean little. */
export const QUICK: CloudScale = {
  requests: 4,
  tags: 60,
  repositories: 20,
  imageLayers: 4,
  layerBytes: 1_000_000,
  images: 1,
  largeLayerBytes: 16 * MIB,
  referrers: 5,
  deletes: 5,
  garbage: 30,
  otherGarbage: 6,
  rounds: 1,
};
