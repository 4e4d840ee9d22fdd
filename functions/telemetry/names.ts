/** Names of the metrics that functions write and alarms read; imports nothing, so that both may. */
export const METRICS = {
  namespace: 'Stowage',
  /** Of `functions/api.ts`, over all operations; the log has each request's own. */
  api: {
    /** Milliseconds of every request; its SampleCount is how many there were. */
    latency: 'latency',
    /** 1 for every answer with a 4xx. No data is none. */
    clientErrors: 'clientErrors',
    /** 1 for every answer with a 5xx. No data is none. */
    serverErrors: 'serverErrors',
  },
  /** Of functions that no client waits for, each by the dimension `job`. */
  jobs: {
    /** 0 or 1 for every run. No data is "not running". */
    failures: 'failures',
    /** Of every run of `expire` that did not fail. */
    objectsDeleted: 'objectsDeleted',
    /** Of every run of `sweep` that did not fail. */
    repositoriesSwept: 'repositoriesSwept',
    /** Of every run of `commit-uploads` that did not fail: 0 or 1. */
    uploadsCommitted: 'uploadsCommitted',
    /** Of every run of `rotate-keys` that did not fail: 0 or 1. */
    keysRotated: 'keysRotated',
    /** Of every run of `front-keys` that did not fail: 0 to 2. */
    frontKeysMade: 'frontKeysMade',
  },
} as const;

/** Values of the dimension `job`. */
export const JOBS = {
  expire: 'expire',
  sweep: 'sweep',
  commitUploads: 'commit-uploads',
  rotateKeys: 'rotate-keys',
  frontKeys: 'front-keys',
} as const;
