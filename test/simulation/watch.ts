import type { Tag } from '../../functions/oci/reference.ts';
import { isImmutable } from '../../functions/registry/policies.ts';
import { type Attributes, type Key, keyOf, type Operation } from '../../functions/storage/table.ts';
import type { Request } from './requests.ts';
import type { World } from './world.ts';

/** Looks at a change of the table as it is made. */
export function watch(
  world: World,
  request: Request,
  operation: Operation,
  before: Attributes | undefined,
): void {
  const key = keyOf(operation);
  if (key.partition.startsWith('U#')) noteContents(world, request, operation, before);
  if (key.partition.startsWith('R#') && key.sort.startsWith('T#') && before) {
    checkTag(world, request, { key, before, after: 'put' in operation ? operation.attributes : undefined });
  }
}

/** What a chunk makes of what the upload had. */
function noteContents(
  { contents }: World,
  { sending }: Request,
  operation: Operation,
  before: Attributes | undefined,
): void {
  const offset = 'update' in operation ? operation.set?.['offset'] : undefined;
  if (offset === undefined || !sending || !before) return;
  const id = keyOf(operation).partition.slice('U#'.length);
  const had = contents.get(`${id}@${before['offset']}`) ?? Buffer.of();
  if (had.length + sending.length === offset) contents.set(`${id}@${offset}`, Buffer.concat([had, sending]));
}

interface Move {
  readonly key: Key;
  readonly before: Attributes;
  /** Nothing where the tag goes. */
  readonly after: Attributes | undefined;
}

/** 4: a tag goes with its own manifest only; 9: an immutable one stays where it is. */
function checkTag({ policy, violations }: World, { process }: Request, { key, before, after }: Move): void {
  const { task } = process;
  const on = before['digest'] as string;
  if (after?.['digest'] === on) return;
  const tag = key.sort.slice('T#'.length) as Tag;
  const isOther = task.is === 'delete' && task.what === 'manifest' && on !== task.digest;
  if (isOther) violations.push(`4: deleting ${task.digest} takes ${tag} along, which is on ${on}`);
  const isHeld = policy && isImmutable([{ name: 'few', repositories: ['*'], ...policy }], tag);
  if (isHeld && task.is !== 'sweep') violations.push(`9: ${task.is} moves ${tag} away from ${on}`);
}
