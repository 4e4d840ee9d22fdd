import {
  parseRepositoryName,
  parseTag,
  type RepositoryName,
  type Tag,
} from '../../functions/oci/reference.ts';
import { misuse } from '../failure.ts';
import { type GlobalOptions, registryOf } from '../session.ts';
import { printable } from '../text.ts';
import { registryUrl } from '../values.ts';

/** Where an image is to go. */
export interface Target {
  /** Of the registry, without a slash at the end. */
  readonly url: string;
  readonly repository: RepositoryName;
  readonly tag: Tag;
}

const DEFAULT_TAG = 'latest';

/** `registry.example.com/team/app:1.2`, or `team/app:1.2` at the registry that commands are about. As docker reads it:
 *  what is before the first slash is a registry if it looks like a host. */
export async function targetOf(reference: string, options: GlobalOptions): Promise<Target> {
  const [, host, path = ''] = /^(?:([^/]*[.:][^/]*|localhost)\/)?(.+)$/.exec(reference) ?? [];
  const [, name = '', tagText = DEFAULT_TAG] = /^([^:]*)(?::(.*))?$/.exec(path) ?? [];
  const [repository, tag] = [parseRepositoryName(name), parseTag(tagText)];
  if (!repository || !tag) {
    throw misuse(`not what an image can be called, such as team/app:1.2: ${printable(reference)}`);
  }
  const url = host === undefined ? await registryOf(options) : registryUrl(host);
  return { url, repository, tag };
}
