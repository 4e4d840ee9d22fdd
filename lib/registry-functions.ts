import { Duration } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { RegistryFunction } from './registry-function.ts';

/** The functions of a registry, none of which may do anything yet. */
export interface RegistryFunctions {
  readonly api: RegistryFunction<'serve'>;
  readonly expire: RegistryFunction<'expire'>;
  readonly sweep: RegistryFunction<'sweep'>;
  readonly rotateKeys: RegistryFunction<'rotate'>;
  readonly commitUploads: RegistryFunction<'commit'>;
}

/** Makes them, directly in the stack. `page`: whether the registry has its web page. */
export function registryFunctions(stack: Construct, { page }: { readonly page: boolean }): RegistryFunctions {
  return {
    api: new RegistryFunction(stack, 'Api', {
      duty: 'serve',
      entry: 'functions/api.ts',
      page,
      description: 'Stowage: answers every request to the registry',
      // Lambda gives CPU by memory: about 0.6 of a core, to hash the 4 MiB of a chunk in some 25 ms.
      memoryMegabytes: 1024,
      // A second less than the gateway waits: a request that hangs ends as an error in the function's log.
      timeout: Duration.seconds(29),
    }),
    expire: new RegistryFunction(stack, 'Expire', {
      duty: 'expire',
      entry: 'functions/expire.ts',
      description: 'Stowage: deletes the objects whose time has come',
      memoryMegabytes: 256, // it waits for DynamoDB and S3, and holds a hundred items at a time
      timeout: Duration.minutes(15), // Lambda's longest; what is left then, the next run takes
    }),
    sweep: new RegistryFunction(stack, 'Sweep', {
      duty: 'sweep',
      entry: 'functions/sweep.ts',
      description: 'Stowage: deletes what nothing uses any more',
      memoryMegabytes: 512, // it holds a page of items, and with a policy the manifests of one repository
      timeout: Duration.minutes(15), // Lambda's longest; what is left then, the next run takes
    }),
    rotateKeys: new RegistryFunction(stack, 'RotateKeys', {
      duty: 'rotate',
      entry: 'functions/rotate-keys.ts',
      description: 'Stowage: makes the keys that access tokens are signed with, a new one each month',
      memoryMegabytes: 256,
      timeout: Duration.seconds(100), // less than a deployment waits for it
    }),
    commitUploads: new RegistryFunction(stack, 'CommitUploads', {
      duty: 'commit',
      entry: 'functions/commit-uploads.ts',
      description: 'Stowage: finishes the uploads that went past the registry',
      memoryMegabytes: 512, // a client may be waiting for the blob to be there
      timeout: Duration.seconds(30),
    }),
  };
}
