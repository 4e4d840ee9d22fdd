import type { Finding, PreviewCounts, PreviewPage, RetentionPage } from '../../api/types.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { pathOf } from '../api.ts';
import type { Session } from '../session.ts';
import { sizeText, timeText } from '../text.ts';

/** A finding of one of several repositories. */
type Found = Finding & { readonly repository?: string };

/** What policies would delete if they were set, told as it is found. */
export async function previewPolicies(
  session: Session,
  policies: readonly unknown[],
  repository: RepositoryName | undefined,
  all: boolean,
): Promise<void> {
  const { api } = session;
  const body = { policies, ...(repository !== undefined && { repository }), ...(all && { all }) };
  const { id } = await api.post<{ id: string }>('/previews', body);
  await showPages(session, all, (last) =>
    api.get<PreviewPage>(pathOf`/previews/${id}`, last === undefined ? {} : { last }),
  );
}

/** The same of the policies that hold for a repository. */
export async function previewRetention(session: Session, name: RepositoryName, all: boolean): Promise<void> {
  const path = `/repositories/${name}/-/retention`;
  await showPages(session, all, (last) =>
    session.api.get<RetentionPage>(path, last === undefined ? {} : { last }),
  );
}

interface Page {
  readonly findings: readonly Found[];
  readonly counts: PreviewCounts;
  readonly at?: string;
  readonly next?: string;
}

/** What belongs to something that goes was told as kept with it: what was told last of it holds. */
async function showPages(
  { output }: Session,
  all: boolean,
  read: (last: string | undefined) => Promise<Page>,
): Promise<void> {
  const found = new Map<string, Found>();
  let counts: PreviewCounts | undefined;
  for (let last: string | undefined; ; ) {
    const page = await read(last);
    counts = page.counts;
    for (const finding of page.findings) if (all || finding.action === 'delete') keep(found, finding);
    if (page.next === undefined) break;
    last = page.next;
    const at = page.at === undefined ? '' : ` in ${page.at}`;
    output.say(`looking${at}: ${countText(counts)} so far`);
  }
  output.list('findings', [...found.values()], {
    ACTION: ({ action }) => (action === 'keep' ? 'stays' : 'would go'),
    REPOSITORY: ({ repository }) => repository,
    WHAT: ({ kind, tag, digest }) => `${kind} ${tag ?? digest}`,
    AGE: ({ ageDays }) => (ageDays === undefined ? undefined : `${Math.floor(ageDays)} d`),
    RANK: ({ rank, of }) => (rank === undefined ? undefined : `${rank} of ${of}`),
    PULLED: ({ lastPulledAt }) => (lastPulledAt === undefined ? undefined : timeText(lastPulledAt)),
    WHY: ({ reason }) => reason,
  });
  output.say(`${countText(counts)} would go`);
}

function keep(found: Map<string, Found>, finding: Found): void {
  const key = `${finding.repository ?? ''} ${finding.kind} ${finding.tag ?? finding.digest}`;
  if (found.get(key)?.action !== 'delete') found.set(key, finding);
}

function countText({ tags, manifests, bytes }: PreviewCounts): string {
  return `${tags} tags and ${manifests} manifests (${sizeText(bytes)} of images at most)`;
}
