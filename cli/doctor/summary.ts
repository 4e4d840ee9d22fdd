import { sizeText } from '../text.ts';
import type { Attempt } from './deployment.ts';
import { EVERY_FAMILY, FAMILIES, type Family } from './families.ts';
import type { Finding } from './finding.ts';

/** What the clients of one family can push, as far as was tried. */
export interface ClientSummary {
  readonly family: Family;
  readonly clients: string;
  /** Bytes of the largest blob that was taken from them; absent where none was. */
  readonly largest?: number;
  /** Bytes of the smallest that was refused. */
  readonly refused?: number;
  /** Names of the probes that found something wrong for them. */
  readonly troubles: readonly string[];
  readonly says: string;
}

type Named = Finding & { readonly name: string };

export function summarize(attempts: readonly Attempt[], findings: readonly Named[]): ClientSummary[] {
  return EVERY_FAMILY.map((family) => {
    const own = attempts.filter(({ families }) => families.includes(family));
    const troubles = findings
      .filter(({ verdict, affects = [] }) => verdict === 'failed' && affects.includes(family))
      .map(({ name }) => name);
    const largest = sizes(own, true).at(-1);
    const refused = sizes(own, false)[0];
    return {
      family,
      clients: FAMILIES[family],
      ...(largest !== undefined && { largest }),
      ...(refused !== undefined && { refused }),
      troubles,
      says: textOf(own, { largest, refused }) + troublesText(troubles),
    };
  });
}

const sizes = (attempts: readonly Attempt[], isTaken: boolean) =>
  attempts
    .filter((attempt) => attempt.isTaken === isTaken)
    .map(({ bytes }) => bytes)
    .sort((a, b) => a - b);

interface Bounds {
  readonly largest: number | undefined;
  readonly refused: number | undefined;
}

function textOf(own: readonly Attempt[], { largest, refused }: Bounds): string {
  if (own.length === 0) return 'not tried';
  const taken = own.filter(({ isTaken }) => isTaken);
  const why = own.find(({ isTaken, bytes }) => !isTaken && bytes === refused)?.says ?? '';
  if (largest === undefined) return `nothing: ${why}`;
  const upTo = `layers of ${sizeText(largest)}, the largest tried`;
  if (refused === undefined) return upTo;
  const ways = [...new Set(taken.map(({ way }) => way))].join(', ');
  return `up to ${sizeText(largest)} (${ways}); ${sizeText(refused)} was refused: ${why}`;
}

const troublesText = (troubles: readonly string[]) =>
  troubles.length === 0 ? '' : `; but see ${troubles.join(', ')}`;
