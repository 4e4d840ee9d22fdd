import { createHash } from 'node:crypto';
import { CANONICAL, type Digest, finishDigest } from '../../functions/oci/digest.ts';
import type { Cut, SignedRequest } from './direct.ts';
import type { Line } from './display.ts';
import type { Content } from './files.ts';
import type { Blob } from './image.ts';
import { inParallel, persist } from './persistence.ts';
import type { Repository } from './repository.ts';

/** How a blob came to be in the repository. */
export type Fate = 'sent' | 'present' | 'mounted';

interface Pushing {
  readonly repository: Repository;
  readonly line: Line;
  readonly signal: AbortSignal;
}

/** A layer of which so much was lost with a connection comes in parts, which are kept. */
const WORTH_PARTS_BYTES = 32 * 1024 * 1024;

/** How many parts of a layer are sent at a time. */
const PARTS_AT_ONCE = 4;

/** Brings a blob into a repository that may have it already, in the cheapest way that its registry offers, and tries again what may be
 *  over soon, as long as it gets on. */
export async function pushBlob(blob: Blob, { repository, line, signal }: Pushing): Promise<Fate> {
  const attempts = new Attempts(blob, repository, line);
  const hasMoved = () => attempts.hasMoved();
  return persist(() => attempts.next(), { signal, onRetry: line.again, hasMoved });
}

/** Of one blob. An attempt that failed may have got through all the same, so each begins with a look. */
class Attempts {
  readonly #blob: Blob;
  readonly #repository: Repository;
  readonly #line: Line;
  #inParts = false;
  #partsSent = 0;

  constructor(blob: Blob, repository: Repository, line: Line) {
    [this.#blob, this.#repository, this.#line] = [blob, repository, line];
  }

  /** Whether anything came of the last attempt. */
  hasMoved(): boolean {
    const hasMoved = this.#partsSent > 0;
    this.#partsSent = 0;
    return hasMoved;
  }

  async next(): Promise<Fate> {
    const [blob, repository, line] = [this.#blob, this.#repository, this.#line];
    line.phase('looking');
    if (await repository.has(blob.digest)) return 'present';
    const upload = await repository.startUpload(blob, this.#inParts);
    if (upload.is === 'mounted') return 'mounted';
    const { location, direct } = upload;
    line.phase('sending', blob.content.size);
    if (direct?.is === 'parts') await this.#sendParts(location, direct.cut);
    else if (direct?.is === 'whole') await this.#sendWhole(direct.request);
    else await repository.sendBlob(location, blob, line.add);
    return 'sent';
  }

  async #sendWhole(request: SignedRequest): Promise<void> {
    let sent = 0;
    const onBytes = (count: number) => {
      sent += count;
      this.#line.add(count);
    };
    try {
      await this.#repository.sendDirect(request, this.#blob, onBytes);
    } catch (error) {
      this.#inParts = sent >= WORTH_PARTS_BYTES;
      throw error;
    }
  }

  async #sendParts(location: string, { partBytes, there }: Cut): Promise<void> {
    const { digest, content } = this.#blob;
    const numbers = Array.from({ length: Math.ceil(content.size / partBytes) }, (_, index) => index + 1);
    const partOf = (number: number) => {
      const start = (number - 1) * partBytes;
      return content.part(start, Math.min(partBytes, content.size - start));
    };
    for (const number of numbers) if (there.includes(number)) this.#line.add(partOf(number).size);
    const missing = numbers.filter((number) => !there.includes(number));
    const send = (number: number) => this.#sendPart(location, number, partOf(number));
    // What is on its way is not cut where one part fails: it is kept.
    await inParallel(missing, PARTS_AT_ONCE, send, () => undefined);
    this.#line.phase('checking');
    while (!(await this.#repository.closeParts(location, digest))) this.#partsSent += 1;
  }

  async #sendPart(location: string, number: number, content: Content): Promise<void> {
    const digest = await digestOfContent(content);
    const request = await this.#repository.signPart(location, number, digest);
    await this.#repository.sendDirect(request, { digest, content }, this.#line.add);
    this.#partsSent += 1;
  }
}

async function digestOfContent(content: Content): Promise<Digest> {
  const hash = createHash(CANONICAL);
  for await (const chunk of content.read()) hash.update(chunk);
  return finishDigest(CANONICAL, hash);
}
