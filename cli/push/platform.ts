import { InvalidArgumentError } from 'commander';

/** What an image runs on. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** `linux/arm64` or `linux/arm/v7` */
export function platformValue(text: string): Platform {
  const [, os, architecture, variant] = /^([a-z0-9]+)\/([a-z0-9_]+)(?:\/([a-z0-9.]+))?$/.exec(text) ?? [];
  if (!os || !architecture) throw new InvalidArgumentError("It looks like 'linux/arm64' or 'linux/arm/v7'.");
  return { os, architecture, ...(variant !== undefined && { variant }) };
}

export const platformText = ({ os, architecture, variant }: Platform) =>
  [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');

/** Whether an image is for `wanted`, of which any variant will do where none is named. */
export function fits(platform: Partial<Platform> | undefined, wanted: Platform): boolean {
  if (platform?.os !== wanted.os || platform.architecture !== wanted.architecture) return false;
  return wanted.variant === undefined || variantOf(platform) === wanted.variant;
}

/** There is only one arm64, which may say so or not. */
const variantOf = ({ architecture, variant = '' }: Partial<Platform>) =>
  variant === '' && architecture === 'arm64' ? 'v8' : variant;
