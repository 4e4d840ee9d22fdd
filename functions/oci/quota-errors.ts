import { RegistryError } from './errors.ts';

// Refusals for want of room that somebody has set.

/** `used` may be more than there is, by what was deleted of late; `scope` says where. */
export const quotaExceeded = (
  detail: {
    readonly policy: string;
    readonly kind: 'bytes' | 'tags';
    readonly limit: number;
    readonly used: number;
    readonly more: number;
  },
  scope: string,
) => {
  const { policy, kind, limit, used, more } = detail;
  const amount = (n: number) => (kind === 'bytes' ? sizeText(n) : `${n}`);
  const allowed = kind === 'bytes' ? `${amount(limit)} of blobs` : `${limit} ${limit === 1 ? 'tag' : 'tags'}`;
  return new RegistryError(
    'DENIED',
    `the quota of the policy "${policy}" allows ${allowed} ${scope}; ` +
      `with ${amount(used)} in use there is no room for ${amount(more)} more`,
    { kind: 'quota-exceeded', detail },
  );
};

const WHOSE = {
  anonymous: 'all who have no login together',
  principal: 'each user or robot',
  all: 'everybody together',
} as const;

/** Until the day ends, in `milliseconds`; whoever has a login may have another limit. */
export function downloadsExceeded(
  { policy, of, limit }: { readonly policy: string; readonly of: keyof typeof WHOSE; readonly limit: number },
  bytes: number,
  milliseconds: number,
): RegistryError {
  const seconds = Math.max(1, Math.ceil(milliseconds / 1000));
  const cure =
    bytes > limit
      ? 'it never has room for this one; its admin can raise it'
      : of === 'anonymous'
        ? 'log in, or come back after 00:00 UTC'
        : 'come back after 00:00 UTC';
  return new RegistryError(
    'TOOMANYREQUESTS',
    `the policy "${policy}" allows ${WHOSE[of]} downloads of ${sizeText(limit)} a day, of which fewer than ${sizeText(bytes)} are left; ${cure}`,
    { detail: { policy, of, limit, bytes }, headers: { 'Retry-After': `${seconds}` } },
  );
}

/** Beyond some two million; a push over it can only go elsewhere. */
export const repositoryFull = (repository: string) =>
  new RegistryError(
    'DENIED',
    `${repository} has no room for another tag; delete tags that nobody needs, or push to another repository`,
  );

/** More than a push can count in one transaction. */
export const quotasOverlap = (repository: string, limit: number) =>
  new RegistryError(
    'DENIED',
    `more than ${limit} policies have a quota together that covers ${repository}; an admin must make them fewer`,
  );

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

export function sizeText(bytes: number): string {
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), UNITS.length - 1);
  const amount = bytes / 1024 ** power;
  return `${power === 0 ? amount : amount.toFixed(1)} ${UNITS[power]}`;
}
