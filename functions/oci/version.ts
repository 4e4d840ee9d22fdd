/** A tag that is a semantic version: `v1.2.3`, `1.2.3-rc.1`, `1.2.3_build.5`. */
export interface Version {
  readonly major: string;
  readonly minor: string;
  /** Text that sorts as versions do; build metadata has no part in it. */
  readonly order: string;
}

// https://semver.org/spec/v2.0.0.html, with the v that many put before it; no tag has a +, for which _ stands.
const VERSION =
  /^v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:_[\w.-]*)?$/;

/** `undefined` for a tag that is none: `latest`, `1.2`. */
export function parseVersion(tag: string): Version | undefined {
  const [, major, minor, patch, before] = VERSION.exec(tag) ?? [];
  if (major === undefined || minor === undefined || patch === undefined) return undefined;
  const numbers = [major, minor, patch].map(numberOrder).join('');
  return { major, minor: `${major}.${minor}`, order: `${numbers}${preReleaseOrder(before)}` };
}

/** Behind its length, a number sorts as text as it does as a number. */
const numberOrder = (digits: string) => `${String.fromCharCode(0x40 + digits.length)}${digits}`;

/** A release comes after all that precede it; of two that are alike so far, the one with more parts comes later. */
function preReleaseOrder(before: string | undefined): string {
  if (before === undefined) return '~';
  const parts = before.split('.').map((part) => (/^\d+$/.test(part) ? `0${numberOrder(part)}` : `1${part}`));
  return `${parts.join('!')} `;
}
