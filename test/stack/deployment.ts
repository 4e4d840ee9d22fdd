import type { Template } from 'aws-cdk-lib/assertions';
import { type Resource, resourcesOf } from './synthesize.ts';

/** What CloudFormation does to one resource. */
export interface Step {
  readonly does: 'create' | 'update' | 'delete';
  readonly id: string;
}

/** Chooses what comes next of what may come next: CloudFormation does much of it at once, and promises no order but that of
 *  dependencies. */
export type Choice = (ready: readonly string[]) => string;

const asWritten: Choice = ([first = '']) => first;

/** As soon as it may be, or when nothing else is left. */
export const early =
  (ids: (id: string) => boolean): Choice =>
  (ready) =>
    ready.find(ids) ?? asWritten(ready);
export const late =
  (ids: (id: string) => boolean): Choice =>
  (ready) =>
    ready.find((id) => !ids(id)) ?? asWritten(ready);

/** What each resource names, by `Ref`, `Fn::GetAtt`, `Fn::Sub` or `DependsOn`. */
export function needsOf(template: Template): ReadonlyMap<string, ReadonlySet<string>> {
  const resources = resourcesOf(template);
  const named = ([id, resource]: [string, Resource]) =>
    [id, new Set([...namesIn(resource)].filter((name) => resources.has(name) && name !== id))] as const;
  return new Map([...resources].map(named));
}

function* namesIn(value: unknown): Iterable<string> {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, each] of Object.entries(value)) {
    yield* NAMING[key]?.(each) ?? [];
    yield* namesIn(each);
  }
}

const NAMING: Readonly<Record<string, (value: unknown) => readonly string[]>> = {
  Ref: (value) => [`${value}`],
  'Fn::GetAtt': (value) => [`${value}`.split(/[.,]/)[0] ?? ''],
  'Fn::Sub': (value) => [...JSON.stringify(value).matchAll(/\$\{(\w+)/g)].map(([, name = '']) => name),
  DependsOn: (value) => [value].flat().map(String),
};

/** Whether a resource is made and changed only after the other. */
export function comesAfter(template: Template, id: string, other: string): boolean {
  const needs = needsOf(template);
  const seen = new Set<string>();
  const reaches = (from: string): boolean => {
    if (seen.has(from)) return false;
    seen.add(from);
    return [...(needs.get(from) ?? [])].some((next) => next === other || reaches(next));
  };
  return reaches(id);
}

/** All resources, each after those it needs; fails where they need each other. */
export function orderOf(template: Template, choose: Choice = asWritten): readonly string[] {
  const open = new Map(needsOf(template));
  const order: string[] = [];
  while (open.size > 0) {
    const ready = [...open].filter(([, needs]) => [...needs].every((id) => !open.has(id))).map(([id]) => id);
    if (ready.length === 0) throw new Error(`these need each other: ${[...open.keys()].join(', ')}`);
    const next = choose(ready);
    order.push(next);
    open.delete(next);
  }
  return order;
}

/** An update: what is new or other, in the order of the new template, and then what is gone. Everything there is counts as changed:
 *  an attribute that another resource takes over shows in no template. */
export function updateOf(from: Template, to: Template, choose: Choice = asWritten): readonly Step[] {
  const [before, after] = [resourcesOf(from), resourcesOf(to)];
  const made = orderOf(to, choose).map((id): Step => ({ does: before.has(id) ? 'update' : 'create', id }));
  const gone = orderOf(from).filter((id) => !after.has(id));
  return [...made, ...gone.reverse().map((id): Step => ({ does: 'delete', id }))];
}
