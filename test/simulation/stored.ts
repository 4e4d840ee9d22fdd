import { OUTBOX_DELAY_SECONDS, UPLOAD_EXPIRY_SECONDS } from '../../functions/limits.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import type { SimulatedBucket } from './bucket.ts';
import type { Platter } from './platter.ts';
import { requestNow } from './requests.ts';

/** When whatever an upload has written is due to be deleted, at the latest: milliseconds. */
const DUE_MS = (UPLOAD_EXPIRY_SECONDS + OUTBOX_DELAY_SECONDS) * 1000;

/** Whose bytes lie in the store: of the repository that the request was about which wrote there first. */
export class Stored {
  readonly #owners = new Map<string, RepositoryName>();
  /** When each was begun, by the world's clock. */
  readonly #begun = new Map<string, number>();
  /** What was somebody's blob or manifest once. */
  readonly #known = new Set<string>();

  /** The repository of the request that is about to write. What is carried out late, after its answer, is nobody's. */
  claim(clock: number): (name: string) => void {
    const task = requestNow()?.process.task;
    let isFirst = true;
    return (name) => {
      if (isFirst && task && 'repository' in task && task.is !== 'sweep') {
        this.#owners.set(lastPart(name), task.repository);
        this.#begun.set(lastPart(name), clock);
      }
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

  /** Items expire. A host deletes what is due, every hour, before it lets them; here nobody may have. What lies there all the same is
   *  not held any more, which is no fault of the quotas. */
  expire(clock: number): void {
    for (const [id, begun] of this.#begun) if (begun + DUE_MS < clock) this.#owners.set(id, NOBODY);
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
