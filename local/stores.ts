import { resolve } from 'node:path';
import { drainOutbox } from '../functions/registry/outbox.ts';
import type { Registry } from '../functions/registry/registry.ts';
import { openEmbedded } from './embedded.ts';

/** A registry on whichever stores the environment chose. */
export interface OpenRegistry {
  readonly registry: Registry;
  /** Where its data is, for the banner. */
  readonly place: string;
  /** Deletes what is due: objects without a link, uploads that were given up, expired items. */
  tidy(): Promise<void>;
  close(): Promise<void>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Opens the stores that `STOWAGE_STORE` names: `directory` (the default) or `aws`. */
export async function openStores(environment: Environment): Promise<OpenRegistry> {
  const store = environment['STOWAGE_STORE'] || 'directory';
  if (store === 'aws') return openAws(environment);
  if (store !== 'directory') throw new Error(`STOWAGE_STORE is neither directory nor aws: ${store}`);
  const data = resolve(environment['STOWAGE_DATA'] || 'data');
  return { ...(await openEmbedded({ data })), place: data };
}

async function openAws(environment: Environment): Promise<OpenRegistry> {
  // Loaded only here: the embedded registry starts without the AWS SDK.
  const { createAwsRegistry } = await import('../functions/aws.ts');
  const { registry, place } = createAwsRegistry(environment);
  return {
    registry,
    place,
    tidy: async () => void (await drainOutbox(registry)),
    close: async () => undefined,
  };
}
