import type { TagRow } from '../../api/types.ts';
import { compareVersions } from '../../functions/oci/version-order.ts';

export const SORTS = ['version', 'name', 'pushed', 'pulled', 'size'] as const;
export type Sort = (typeof SORTS)[number];

/** What can be told by the names alone; the others need each row. */
export const isByName = (sort: Sort) => sort === 'version' || sort === 'name';

/** What cosign's older versions and others keep under tags of their own; people look for them rarely. */
export const isTechnical = (name: string) => /^sha256-[0-9a-f]{64}(?:\.\w+)?$/.test(name);

/** Whether a tag fits what was typed: `*` stands for any characters, all else is looked for anywhere. */
export function filterOf(text: string): (name: string) => boolean {
  const wanted = text.trim();
  if (!wanted.includes('*')) return (name) => name.includes(wanted);
  const parts = wanted.split('*').map((part) => part.replaceAll(/[.\\+?^$()[\]{}|]/g, '\\$&'));
  const pattern = new RegExp(`^${parts.join('.*')}$`);
  return (name) => pattern.test(name);
}

/** In the order of their versions or names; by what the rows say, the newest or largest first. */
export function sorted(
  names: readonly string[],
  { sort, isReversed }: { readonly sort: Sort; readonly isReversed: boolean },
  rowOf: (name: string) => TagRow | undefined,
): string[] {
  const order = orderOf(sort, rowOf);
  return [...names].sort(isReversed ? (a, b) => order(b, a) : order);
}

function orderOf(sort: Sort, rowOf: (name: string) => TagRow | undefined): (a: string, b: string) => number {
  const byVersion = (a: string, b: string) => compareVersions(b, a);
  if (sort === 'version') return byVersion;
  if (sort === 'name') return (a, b) => (a < b ? -1 : 1);
  const amountOf = (name: string) => {
    const row = rowOf(name);
    if (sort === 'size') return row?.imageBytes ?? -1;
    return Date.parse((sort === 'pushed' ? row?.taggedAt : row?.pulledAt) ?? '') || 0;
  };
  return (a, b) => amountOf(b) - amountOf(a) || byVersion(a, b);
}
