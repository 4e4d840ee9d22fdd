import { cp, rm } from 'node:fs/promises';
import type { Copy, Desk, ExtraCheck, Parcel, Session } from './client.ts';
import { layoutBlobs, layoutDigest } from './layout.ts';
import type { Credentials } from './registry.ts';

export interface LayoutCommands {
  readonly version: string;
  login(credentials: Credentials): Promise<unknown>;
  logout(): Promise<unknown>;
  /** Sends what `directory` holds to `reference`. */
  push(directory: string, reference: string): Promise<unknown>;
  /** Makes `directory` a layout of what `reference` names. */
  pull(reference: string, directory: string): Promise<unknown>;
  readonly extras?: readonly ExtraCheck[];
}

/** A client that copies between a registry and an OCI layout: every blob it moves can be compared. */
export function layoutSession(desk: Desk, commands: LayoutCommands): Session {
  const local = ({ name }: Parcel) => desk.file(`${name}-layout`);
  const copyIn = async (parcel: Parcel): Promise<Copy> => ({
    digest: await layoutDigest(local(parcel)),
    contents: await layoutBlobs(local(parcel)),
  });
  return {
    version: commands.version,
    extras: commands.extras ?? [],
    async login(credentials) {
      await commands.login(credentials);
    },
    async logout() {
      await commands.logout();
    },
    async push(parcel) {
      await cp(parcel.layout.directory, local(parcel), { recursive: true });
      await commands.push(local(parcel), parcel.reference);
      return await copyIn(parcel);
    },
    async remove(parcel) {
      await rm(local(parcel), { recursive: true, force: true });
    },
    async pull(parcel) {
      await commands.pull(parcel.reference, local(parcel));
      return await copyIn(parcel);
    },
    close: async () => undefined,
  };
}
