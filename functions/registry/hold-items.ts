import type { RepositoryName } from '../oci/reference.ts';
import { type Attributes, type Condition, equals, type Key } from '../storage/table.ts';
import { holdKey } from './keys.ts';

/** Whose bytes are held: an upload session, or a manifest that is being pushed. */
export interface Holder {
  readonly repository: RepositoryName;
  readonly id: string;
}

/** What the quotas of a repository count of bytes that are no blob or manifest of it yet, or never will be. */
export interface Hold {
  /** At most so many have come through the registry. */
  readonly bytes: number;
  /** At most so many of them stay where requests have failed: nobody writes over them, or frees them before they expire. */
  readonly left: number;
  /** How many of those are at the upload's own key, and go when it is cancelled. @default none */
  readonly atKey?: number;
  /** At most so many may come past it, by the upload's token. */
  readonly direct: number;
  /** Requests that write at this moment, or have died while they did. */
  readonly writers: number;
  /** Milliseconds since 1970: when a request last began, went on or ended. */
  readonly at: number;
  /** Why the bytes go as soon as nobody writes any more. @default they do not */
  readonly ended?: Ending;
  /** How often it was changed. */
  readonly turns: number;
  /** Seconds since 1970: when the bytes should be gone, whatever has become of those who were to give them back. They count until the
   *  table drops the item: a machine that was off deletes them late. */
  readonly expiresAt: number;
}

/** `linked`: the upload's blob has the bytes it needs, of this or of another upload. */
export type Ending = 'cancelled' | 'linked';

export const keyOfHold = ({ repository, id }: Holder): Key => holdKey(repository, id);

export const holdIn = (found: Attributes | undefined) => found as Hold | undefined;

/** Bytes. */
export function heldIn(found: Attributes): number {
  const { bytes, direct } = found as unknown as Hold;
  return bytes + direct;
}

/** That nothing has changed it since. */
export const asRead = ({ turns }: Hold): Condition[] => [equals('turns', turns)];
