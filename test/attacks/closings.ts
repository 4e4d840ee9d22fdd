import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import { type Attacker, bytesOf } from './attacker.ts';

/** An upload that has received `first`, and what its attackers try to make of it. */
interface Scene {
  readonly attacker: Attacker;
  readonly repository: string;
  readonly location: string;
  readonly first: Uint8Array;
}

/** What may be under a digest afterwards, if anything is. */
export type Attack = (scene: Scene) => Promise<readonly Uint8Array[]>;

const digest = (bytes: Uint8Array): Digest => digestOf('sha256', bytes);
const joined = (...pieces: readonly Uint8Array[]): Uint8Array => Buffer.concat(pieces);

/** Attempts to have other bytes under a digest than it says, each with two and more requests to one upload at once. */
export const ATTACKS: Readonly<Record<string, Attack>> = {
  'two closings at once, one of what is there and one of more': async ({ attacker, location, first }) => {
    const more = bytesOf(50);
    const whole = joined(first, more);
    await Promise.all([
      attacker.close(location, digest(first)),
      attacker.close(location, digest(whole), more),
    ]);
    return [first, whole];
  },
  'two closings at once, each of more': async ({ attacker, location, first }) => {
    const [a, b] = [bytesOf(first.length), bytesOf(first.length)];
    const lasts = first.length > 4_000_000 ? [bytesOf(3_000_000), bytesOf(3_000_000)] : [a, b];
    const wholes = lasts.map((last) => joined(first, last));
    await Promise.all(wholes.map((whole, n) => attacker.close(location, digest(whole), lasts[n])));
    return wholes;
  },
  'a closing whose body is slow beside one that needs none': async ({ attacker, location, first }) => {
    const [head, tail] = [bytesOf(1000), bytesOf(1000)];
    const closed = Promise.withResolvers<Uint8Array>();
    const whole = joined(first, head, tail);
    const slow = attacker.close(location, digest(whole), [head, closed.promise]);
    await attacker.close(location, digest(first));
    closed.resolve(tail);
    await slow.catch(() => undefined);
    return [first, whole];
  },
  'a chunk that is slow beside a closing': async ({ attacker, location, first }) => {
    const [head, tail] = [bytesOf(1000), bytesOf(1000)];
    const closed = Promise.withResolvers<Uint8Array>();
    const slow = attacker.patch(location, [head, closed.promise]);
    await attacker.close(location, digest(first));
    closed.resolve(tail);
    await slow.catch(() => undefined);
    await attacker.close(location, digest(joined(first, head, tail)));
    return [first, joined(first, head, tail)];
  },
  'chunks and closings of all kinds at once': async ({ attacker, location, first }) => {
    const pieces = [bytesOf(200), bytesOf(200), bytesOf(200)];
    const wholes = pieces.map((piece) => joined(first, piece));
    await Promise.allSettled([
      attacker.close(location, digest(first)),
      ...pieces.map((piece) => attacker.patch(location, piece)),
      ...wholes.map((whole, n) => attacker.close(location, digest(whole), pieces[n])),
      ...wholes.map((whole) => attacker.close(location, digest(whole))),
    ]);
    return [first, ...wholes];
  },
  'a cancel between two closings': async ({ attacker, location, first }) => {
    const more = bytesOf(70);
    await Promise.all([
      attacker.close(location, digest(first)),
      attacker.cancel(location),
      attacker.close(location, digest(joined(first, more)), more),
    ]);
    return [first, joined(first, more)];
  },
  'uploads of different bytes, both in the first request of one session': async (scene) => {
    const { attacker, repository, first } = scene;
    const location = await attacker.open(repository);
    const length = Math.min(first.length, 4_000_000);
    const wholes = [bytesOf(length), bytesOf(length)];
    await Promise.all(wholes.map((whole) => attacker.close(location, digest(whole), whole)));
    return wholes;
  },
  'a body past the registry beside one through it': async ({ attacker, repository }) => {
    // Behind the front door the first goes to S3 itself, for its length; the second is too short for that.
    const location = await attacker.open(repository);
    const [large, small] = [bytesOf(4_500_000), bytesOf(3000)];
    await Promise.all([
      attacker.close(location, digest(large), large),
      attacker.close(location, digest(small), small),
    ]);
    return [large, small];
  },
  'a chunk through the registry before a body past it': async ({ attacker, location, first }) => {
    const large = bytesOf(4_500_000);
    await Promise.all([
      attacker.close(location, digest(large), large),
      attacker.close(location, digest(first)),
      attacker.close(location, digest(joined(first, large)), large),
    ]);
    return [first, large, joined(first, large)];
  },
};
