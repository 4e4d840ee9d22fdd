/** What the log calls the answer of each job's run. */
export const JOB_RESULTS = {
  expire: 'objectsDeleted',
  sweep: 'repositoriesSwept',
  /** 0 or 1. */
  commitUploads: 'uploadsCommitted',
  /** 0 or 1. */
  rotateKeys: 'keysRotated',
  /** 0 to 2. */
  frontKeys: 'frontKeysMade',
} as const;

/** What the log calls each job. */
export const JOBS = {
  expire: 'expire',
  sweep: 'sweep',
  commitUploads: 'commit-uploads',
  rotateKeys: 'rotate-keys',
  frontKeys: 'front-keys',
} as const;
