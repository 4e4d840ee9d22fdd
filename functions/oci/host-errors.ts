import { denied, RegistryError } from './errors.ts';

// Refusals that are about the registry, its room and its other clients, and not about what was asked for.

/** What the registry keeps its data on has no room; `cure` says what its operator does about it. */
export const storageFull = (cure: string) =>
  new RegistryError('DENIED', `the registry has no room left: its disk is full; ${cure}`, { status: 507 });

/** What the registry keeps its data on does not do what it is asked for. */
export const storageFailed = () =>
  new RegistryError(
    'UNKNOWN',
    "the registry's disk fails, or may only be read; its operator has to look after it; then try again",
    { status: 503 },
  );

/** Something else lies in the place of what the registry keeps its data in; `cause` says which. */
export const storageReplaced = (cause: Error) =>
  new RegistryError(
    'DENIED',
    'the registry takes no writes: its data folder was replaced or mounted over while it runs; its operator has to start it again',
    { status: 503, cause },
  );

/** What a load balancer is told where a store does not answer. */
export const notReady = (cause: unknown) =>
  new RegistryError('UNKNOWN', "the registry's stores do not answer; the registry has logged why", {
    status: 503,
    cause,
  });

export const tooManyLogins = (retryAfterSeconds: number) =>
  new RegistryError('TOOMANYREQUESTS', 'too many failed logins; wait before you try again', {
    headers: { 'Retry-After': `${retryAfterSeconds}` },
  });

export const tooManyLoginsAtOnce = () =>
  new RegistryError('TOOMANYREQUESTS', 'too many logins at once; try again', {
    headers: { 'Retry-After': '1' },
  });

/** From one address. */
export const tooManyRequests = () =>
  new RegistryError('TOOMANYREQUESTS', 'too many requests at once from this address; try again', {
    headers: { 'Retry-After': '5' },
  });

/** From everywhere. */
export const registryBusy = () =>
  new RegistryError('TOOMANYREQUESTS', 'the registry has more requests than it can take at once; try again', {
    status: 503,
    headers: { 'Retry-After': '5' },
  });

/** Others waited for the memory that this one filled too slowly. */
export const memoryShort = () =>
  new RegistryError('TOOMANYREQUESTS', 'the registry is busy, and this body came too slowly; try again', {
    status: 503,
    headers: { 'Retry-After': '30', Connection: 'close' },
  });

const TOO_BUSY = 'too many concurrent changes to the same thing; try again';

/** Too many writers at once on one item; whoever waits and sends the request again will get through. */
export const tooBusy = () =>
  new RegistryError('TOOMANYREQUESTS', TOO_BUSY, { headers: { 'Retry-After': '1' } });

export const isTooBusy = (error: unknown) => error instanceof RegistryError && error.message === TOO_BUSY;

/** A stream host that sleeps is being woken, for `milliseconds` by now. */
export const streamHostStarting = (milliseconds: number) =>
  new RegistryError(
    'UNAVAILABLE',
    milliseconds < 60_000
      ? 'the upload host is starting; this takes half a minute'
      : `the upload host is starting, for ${Math.round(milliseconds / 1000)} s by now; push again in a minute`,
    { headers: { 'Retry-After': '1' } },
  );

/** It cannot be woken; `why` is what is known of that. */
export const streamHostFailed = (why: string) =>
  new RegistryError(
    'DENIED',
    `the upload host does not start (${why}): push again in some minutes, or push with "stowage push", docker on the ` +
      'containerd image store, containerd, oras, helm or regctl, which do not need it',
    { cause: new Error(`the stream host does not start: ${why}`) },
  );

/** They end by themselves after a week. */
export const tooManyUploads = (most: number) =>
  new RegistryError(
    'TOOMANYREQUESTS',
    `you have ${most} uploads open, as many as anybody may: finish or cancel some, or let them expire`,
    { headers: { 'Retry-After': '60' } },
  );

/** `host` is what the client named, where it can be shown. */
export const foreignHost = (host = 'what was named as host') =>
  denied(
    `this registry answers as localhost and by names it was given, so that no web page reaches it by another; ${host} is ` +
      'none: use the address that it printed at its start, or add the name to STOWAGE_HOSTS',
  );

export const foreignPage = () =>
  denied(
    "a web page that is not this registry's own has sent this, and may not: use a client of registries, or add the page's " +
      'host to STOWAGE_HOSTS',
  );

/** What the standard knows no request for. */
export const requestUnreadable = (options: { readonly headers?: Readonly<Record<string, string>> } = {}) =>
  new RegistryError('UNSUPPORTED', 'this is no HTTP request that the registry can read', {
    status: 400,
    ...options,
  });
