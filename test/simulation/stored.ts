import type { RepositoryName } from '../../functions/oci/reference.ts';
import type { SimulatedBucket } from './bucket.ts';
import type { Platter } from './platter.ts';
import { requestNow } from './requests.ts';

/** Whose bytes lie in the store: of the repository that the request was about which wrote there first. */
export class Stored {
  readonly #owners = new Map<string, RepositoryName>();
  /** What was somebody's blob or manifest once. */
  readonly #known = new Set<string>();

  /** The repository of the request that is about to write. What is carried out late, after its answer, is nobody's. */
  claim(): (name: string) => void {
    const task = requestNow()?.process.task;
    let isFirst = true;
    return (name) => {
      if (isFirst && task && 'repository' in task && task.is !== 'sweep')
        this.#owners.set(lastPart(name), task.repository);
      isFirst = false;
    };
  }

  /** Whether another repository has written the object. */
  isOfAnother(repository: RepositoryName, key: string): boolean {
    return (this.#owners.get(lastPart(key)) ?? repository) !== repository;
  }

  /** What was the repository's and is not any more is there for others, who count it. */
  release(repository: RepositoryName, linked: ReadonlySet<unknown>): void {
    for (const id of this.#known)
      if (this.#owners.get(id) === repository && !linked.has(`blobs/${id}`)) this.#owners.set(id, NOBODY);
  }

  /** `linked` are the keys of what can be read. */
  know(linked: Iterable<string>): void {
    for (const key of linked) this.#known.add(lastPart(key));
  }

  /** Bytes that a repository has in the store, and that were never a blob or a manifest. */
  bytesOf(
    repository: RepositoryName,
    { bucket, platter }: { bucket: SimulatedBucket; platter: Platter },
  ): number {
    let bytes = 0;
    const add = (name: string, size: number) => {
      const id = lastPart(name);
      if (this.#owners.get(id) === repository && !this.#known.has(id)) bytes += size;
    };
    for (const [key, object] of bucket.objects) add(key, object.bytes.length);
    for (const [id, { parts }] of bucket.uploads)
      for (const part of parts.values()) add(id, part.bytes.length);
    for (const [path, file] of platter.names) add(path, file.content.length);
    return bytes;
  }
}

const NOBODY = '' as RepositoryName;

const lastPart = (name: string) => name.slice(name.lastIndexOf('/') + 1);
