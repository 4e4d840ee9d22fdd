import type { RegistryError } from '../oci/errors.ts';

/** The room that a host's stores have, and what becomes of them. */
export interface Room {
  /** Throws where the stores are not those that the host has opened. */
  look(): void;
  /** Throws where there is none for a push. */
  require(): void;
  /** The refusal of whatever failed for want of room, or by a store that fails; `undefined` where an error is another
   *  one. */
  refusalOf(error: unknown): RegistryError | undefined;
}
