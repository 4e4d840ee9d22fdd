import { PULL_RECORD_SECONDS } from '../limits.ts';
import { anyMatcherOf } from '../oci/pattern.ts';
import { type Steps, sortedInSteps } from '../registry/in-turns.ts';
import type { Policy } from '../registry/policies.ts';
import type { TagRule } from '../registry/retention-policy.ts';
import type { Graph, TagNode } from './retention-graph.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** What the rules say of one tag, and why. */
export interface TagVerdict {
  readonly keeps: boolean;
  readonly reason: string;
}

interface Matched {
  readonly policy: string;
  readonly rule: TagRule;
  /** Its place among all tags that the rule matches, the newest is 0. */
  readonly rank: number;
}

/** Applies pins and rules to ordinary tags: a pin keeps, then any clause of any rule; a tag that no rule matches stays. */
export function* judgeTags(
  tags: readonly TagNode[],
  { manifests }: Pick<Graph, 'manifests'>,
  policies: readonly Policy[],
  now: number,
): Steps<Map<TagNode, TagVerdict>> {
  const matched = yield* matchesOf(tags, policies);
  const pins = policies.map(({ name, retention }) => ({
    name,
    matches: anyMatcherOf(retention?.pins ?? []),
  }));
  const verdicts = new Map<TagNode, TagVerdict>();
  for (const node of tags) {
    yield;
    const pin = pins.find(({ matches }) => matches(node.tag));
    const pulledAt = Math.max(node.pulledAt ?? 0, manifests.get(node.digest)?.pulledAt ?? 0);
    verdicts.set(
      node,
      pin ? keep(`policy ${pin.name} pins it`) : judge(node, matched.get(node) ?? [], { pulledAt, now }),
    );
  }
  return verdicts;
}

/** Every rule ranks the tags it matches, the newest first; of two of one moment the greater name. */
function* matchesOf(tags: readonly TagNode[], policies: readonly Policy[]): Steps<Map<TagNode, Matched[]>> {
  const newestFirst = yield* sortedInSteps(
    tags,
    (a, b) => b.taggedAt - a.taggedAt || (a.tag < b.tag ? 1 : -1),
  );
  const matched = new Map<TagNode, Matched[]>();
  for (const { name: policy, retention } of policies) {
    for (const rule of retention?.tags ?? []) {
      const matches = anyMatcherOf(rule.match);
      let rank = 0;
      for (const node of newestFirst) {
        yield;
        if (!matches(node.tag)) continue;
        const list = matched.get(node) ?? [];
        list.push({ policy, rule, rank });
        matched.set(node, list);
        rank += 1;
      }
    }
  }
  return matched;
}

interface Moment {
  /** 0 where it was never pulled. */
  readonly pulledAt: number;
  readonly now: number;
}

function judge(node: TagNode, matched: readonly Matched[], moment: Moment): TagVerdict {
  const [first] = matched;
  if (!first) return keep('no rule matches it');
  for (const { policy, rule, rank } of matched) {
    const why = whyKept(node, rule, { ...moment, rank });
    if (why !== undefined) return keep(`${why} (policy ${policy})`);
  }
  const names = [...new Set(matched.map(({ policy }) => policy))].join(', ');
  return { keeps: false, reason: `no clause of policy ${names} keeps it` };
}

function whyKept(
  { taggedAt }: TagNode,
  { keepLast, keepNewerThanDays: newer, keepPulledWithinDays: pulled }: TagRule,
  { rank, pulledAt, now }: Moment & { readonly rank: number },
): string | undefined {
  if (keepLast !== undefined && rank < keepLast) return `among the last ${keepLast}`;
  if (newer !== undefined && now - taggedAt < newer * DAY_MS) return `newer than ${newer} days`;
  if (pulled !== undefined && now - pulledAt < pulled * DAY_MS + PULL_RECORD_SECONDS * 1000)
    return `pulled within ${pulled} days`;
  return undefined;
}

const keep = (reason: string): TagVerdict => ({ keeps: true, reason });
