import { Failure } from '../failure.ts';
import { printable } from '../text.ts';

/** An image of an archive or layout, with all it is called there. */
export interface Candidate<T> {
  readonly names: readonly string[];
  readonly value: T;
}

/** How to choose where there are several images. */
export interface Choice {
  /** `--image`, which must be there. */
  readonly wanted?: string | undefined;
  /** What docker was asked for, which is another name for what it answered. */
  readonly asked?: string | undefined;
}

/** The image that is meant: the one that is called so, or the only one there is. */
export function choose<T>(
  candidates: readonly Candidate<T>[],
  { wanted, asked }: Choice,
  identity: (value: T) => string,
): T {
  const called = (name: string | undefined) =>
    name === undefined ? [] : candidates.filter(({ names }) => names.some((one) => isSame(one, name)));
  const named = called(wanted);
  if (wanted !== undefined && named.length === 0) {
    throw new Failure(`there is no image ${printable(wanted)} in it${listOf(candidates)}`);
  }
  const rest = wanted === undefined ? candidates : named;
  const byIdentity = new Map(rest.map(({ value }) => [identity(value), value]));
  const [only, ...others] = byIdentity.values();
  if (only === undefined) throw new Failure('there is no image in it');
  if (others.length === 0) return only;
  const [match] = called(asked);
  if (match) return match.value;
  throw new Failure(
    `there are ${byIdentity.size} images in it; choose one with --image${listOf(candidates)}`,
  );
}

function listOf(candidates: readonly Candidate<unknown>[]): string {
  const names = candidates.flatMap((candidate) => candidate.names.slice(0, 1));
  return names.length === 0 ? '' : `: ${names.slice(0, 20).map(printable).join(', ')}`;
}

/** Docker and podman leave out what goes without saying. */
const familiar = (name: string) => name.replace(/^docker\.io\/(?:library\/)?|^localhost\//, '');

const isSame = (name: string, wanted: string) =>
  name === wanted || familiar(name) === familiar(wanted) || familiar(name) === `${familiar(wanted)}:latest`;
