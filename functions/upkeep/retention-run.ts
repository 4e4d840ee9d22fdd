import type { Digest } from '../oci/digest.ts';
import type { Attributes } from '../storage/table.ts';
import { imageFacts } from './retention-facts.ts';
import type { Holds } from './retention-holds.ts';
import { RESTORE_HELD_DAYS, type RetentionRules } from './retention-rules.ts';
import { TagJudge } from './retention-tags.ts';
import type { Need, Verdict } from './rule-facts.ts';
import type { Allowance } from './run-limits.ts';
import { expectSoon, mayGoFrom, type Sweep } from './stage.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** A manifest without a tag, or one whose tag has lost what it belongs to. */
interface UntaggedManifest {
  readonly digest: Digest;
  readonly retiredAt?: number;
  readonly found: Attributes;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** What the passes of one run share. */
export class RetentionRun {
  readonly sweep: Sweep;
  readonly rules: RetentionRules;
  readonly holds: Holds;
  readonly allowance: Allowance;
  readonly judge: TagJudge;

  constructor(
    sweep: Sweep,
    { rules, holds, allowance }: Pick<RetentionRun, 'rules' | 'holds' | 'allowance'>,
  ) {
    [this.sweep, this.rules, this.holds, this.allowance] = [sweep, rules, holds, allowance];
    this.judge = new TagJudge(this);
  }

  /** What the rules say of it, with what they ask of the image. */
  async judgeUntagged(manifest: UntaggedManifest): Promise<Exclude<Verdict, { readonly needs: Need }>> {
    const verdict = this.rules.judgeUntagged(manifest);
    if (!('needs' in verdict)) return verdict;
    const image = await imageFacts(this.sweep, manifest);
    const known = this.rules.judgeUntagged({ ...manifest, image });
    return 'needs' in known ? { keeps: true, reason: `nobody knows its ${known.needs}` } : known;
  }

  /** Why a manifest stays, and no rule is asked. */
  whyStands(digest: Digest, { touched, restoredAt }: Attributes): string | undefined {
    const { horizon, registry, expect } = this.sweep;
    if ((touched as number) > horizon) {
      expectSoon(this.sweep);
      return `somebody may be about to use it: it may go from ${mayGoFrom(this.sweep, touched as number)} on`;
    }
    if (this.holds.isHeld(digest)) return 'it is held';
    const heldUntil =
      ((restoredAt as number | undefined) ?? Number.NEGATIVE_INFINITY) + RESTORE_HELD_DAYS * DAY_MS;
    if (registry.now() < heldUntil) expect?.(heldUntil);
    return registry.now() < heldUntil ? `restored within ${RESTORE_HELD_DAYS} days` : undefined;
  }

  /** Tells why a manifest stays, where that is asked for. */
  tellKept(
    { digest, found }: Pick<UntaggedManifest, 'digest' | 'found'>,
    reason: string,
    owner?: Digest,
  ): void {
    const { report, tellsKept } = this.sweep;
    const size = found['size'] as number;
    const belongs = owner === undefined ? {} : { owner };
    if (tellsKept) report?.({ action: 'keep', kind: 'manifest', digest, size, reason, ...belongs });
  }
}
