import { cp, rm } from 'node:fs/promises';
import type { Copy, Desk, ExtraCheck, Kind, Session } from './client.ts';
import { layoutBlobs, layoutDigest } from './layout.ts';

export interface LayoutCommands {
  readonly version: string;
  /** Sends what `directory` holds to `reference`. */
  push(directory: string, reference: string): Promise<unknown>;
  /** Makes `directory` a layout of what `reference` names. */
  pull(reference: string, directory: string): Promise<unknown>;
  readonly extras?: readonly ExtraCheck[];
}

/** A client that copies between a registry and an OCI layout: every blob it moves can be compared. */
export function layoutSession(desk: Desk, commands: LayoutCommands): Session {
  const local = (kind: Kind) => desk.file(`${kind}-layout`);
  const copyIn = async (kind: Kind): Promise<Copy> => ({
    digest: await layoutDigest(local(kind)),
    contents: await layoutBlobs(local(kind)),
  });
  return {
    version: commands.version,
    extras: commands.extras ?? [],
    async push(kind) {
      await cp(desk.layout(kind).directory, local(kind), { recursive: true });
      await commands.push(local(kind), desk.reference(kind));
      return await copyIn(kind);
    },
    async remove(kind) {
      await rm(local(kind), { recursive: true });
    },
    async pull(kind) {
      await commands.pull(desk.reference(kind), local(kind));
      return await copyIn(kind);
    },
    close: async () => undefined,
  };
}
