import type { KeyRing } from './signing-keys.ts';

/** A text in a place of its own that many read and one job writes. */
export interface PublishedText {
  /** Where it lies, for people. */
  readonly place: string;
  /** The text, and the version to replace it by; `undefined` stands for a text, and a version, that is not there. The
   *  text may be newer than the version, never older. */
  read(): Promise<{ readonly text: string | undefined; readonly version: string | undefined }>;
  /** `false`, and nothing happens, where the version is another one by now. */
  replace(text: string, version: string | undefined): Promise<boolean>;
}

interface KeyPublicationOptions {
  readonly copy: PublishedText;
  readonly encode: (ring: KeyRing) => string;
}

/** A copy of the signing keys, for whoever cannot read them where they are kept. */
export class KeyPublication {
  readonly #copy: PublishedText;
  readonly #encode: (ring: KeyRing) => string;

  constructor({ copy, encode }: KeyPublicationOptions) {
    this.#copy = copy;
    this.#encode = encode;
  }

  get place(): string {
    return this.#copy.place;
  }

  /** Makes the copy equal to the ring, and writes nothing where it is. The ring is read after the version of the copy:
   *  so of two that publish at once, the one with the older ring never wins. Throws where the other published
   *  something else. */
  async publish(read: () => Promise<KeyRing>): Promise<void> {
    const found = await this.#copy.read();
    const text = this.#encode(await read());
    if (found.text === text || (await this.#copy.replace(text, found.version))) return;
    // Or our own write, whose answer was lost, stood in the way of its repetition.
    const { text: other } = await this.#copy.read();
    if (other !== text) throw new Error('somebody else published other keys at the same time');
  }
}

/** Publishes to each place, whatever becomes of the others, and then throws where one failed. */
export async function publishEverywhere(
  publications: readonly KeyPublication[],
  publish: (publication: KeyPublication) => Promise<void>,
): Promise<void> {
  const outcomes = await Promise.allSettled(publications.map(publish));
  const failures = outcomes.flatMap((outcome, index) =>
    outcome.status === 'rejected'
      ? [{ place: publications[index]?.place, cause: outcome.reason as unknown }]
      : [],
  );
  const [first] = failures;
  if (!first) return;
  const places = failures.map(({ place, cause }) => `${place} (${cause})`);
  throw new Error(`the signing keys are not published to ${places.join(', nor to ')}`, {
    cause: first.cause,
  });
}
