import type { Attributes, Condition, Operation } from '../functions/storage/table.ts';

type Update = Extract<Operation, { update: unknown }>;

/** What an update makes of an item's attributes, or of none. */
export function updated(found: Attributes | undefined, update: Update): Attributes {
  const attributes: Record<string, Attributes[string]> = { ...found, ...update.set };
  for (const [name, amount] of Object.entries(update.add ?? {})) {
    attributes[name] = ((attributes[name] as number | undefined) ?? 0) + amount;
  }
  return withSets(attributes, update);
}

/** The attributes with what their sets gain and lose. */
function withSets(
  attributes: Record<string, Attributes[string]>,
  { include = {}, exclude = {} }: Update,
): Attributes {
  for (const name of [...Object.keys(include), ...Object.keys(exclude)]) {
    const texts = new Set(attributes[name] as readonly string[] | undefined);
    for (const text of include[name] ?? []) texts.add(text);
    for (const text of exclude[name] ?? []) texts.delete(text);
    if (texts.size > 0) attributes[name] = [...texts];
    else delete attributes[name];
  }
  return attributes;
}

/** Whether the condition holds of what was found. */
export function holds(condition: Condition, found: Attributes | undefined): boolean {
  switch (condition.is) {
    case 'absent':
      return found === undefined;
    case 'present':
      return found !== undefined;
    case 'equals':
      return found?.[condition.attribute] === condition.value;
    case 'atMost': {
      const value = found?.[condition.attribute];
      return typeof value === 'number' && value <= condition.value;
    }
    case 'atLeast': {
      const value = found?.[condition.attribute];
      return typeof value === 'number' && value >= condition.value;
    }
  }
}
