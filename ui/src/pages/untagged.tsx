import { Link } from 'wouter';
import type { Finding, ManifestRow } from '../../../api/types.ts';
import { imageAddress } from '../address.ts';
import { useRepository, useUntagged, useVerdicts } from '../data/repositories.ts';
import { Ago, Bytes, Digest } from '../parts/basics.tsx';
import { Failure, Skeleton } from '../parts/states.tsx';
import { Verdict } from '../parts/tag-table.tsx';
import { useText } from '../text/text.ts';

/** What is in the repository without a tag, why, and what policies do with it. */
export function Untagged({ repository }: { readonly repository: string }) {
  const text = useText();
  const { data, error, refetch, hasNextPage, isFetchingNextPage, fetchNextPage } = useUntagged(repository);
  const { data: { may = [] } = {} } = useRepository(repository);
  const { data: verdicts } = useVerdicts(repository, may.includes('admin'));
  if (error && !data) return <Failure error={error} again={() => void refetch()} />;
  if (!data) return <Skeleton />;
  const manifests = data.pages.flatMap((page) => page.manifests);
  if (manifests.length === 0 && !hasNextPage) return <p className="box">{text.noUntagged}</p>;
  return (
    <section>
      <h2>{text.untaggedTitle}</h2>
      <ul className="rows tall">
        {manifests.map((row) => (
          <Manifest key={row.digest} {...{ repository, row, verdict: verdicts?.get(row.digest) }} />
        ))}
      </ul>
      {hasNextPage && (
        <button type="button" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {text.more}
        </button>
      )}
    </section>
  );
}

interface ManifestProps {
  readonly repository: string;
  readonly row: ManifestRow;
  readonly verdict: Finding | undefined;
}

function Manifest({ repository, row, verdict }: ManifestProps) {
  const text = useText();
  const { digest, kind, imageBytes, size, pushedAt, by, subject, usedBy } = row;
  const links = (label: string, digests: readonly string[]) => (
    <span>
      {label}{' '}
      {digests.map((one) => (
        <Link key={one} href={imageAddress(repository, one)} className="chip">
          {one.slice(7, 19)}
        </Link>
      ))}
    </span>
  );
  return (
    <li>
      <Link href={imageAddress(repository, digest)}>
        <Digest of={digest} />
      </Link>
      <span className="faint">
        {kind} · <Bytes of={imageBytes ?? size} /> · {text.pushedAgo} <Ago time={pushedAt} />
        {by && ` ${text.by} ${by}`}
      </span>
      {usedBy.length > 0 && links(text.usedBy, usedBy)}
      {subject !== undefined && links(text.refersTo, [subject])}
      {usedBy.length === 0 && subject === undefined && !verdict && (
        <span className="faint">{text.usedByNothing}</span>
      )}
      {verdict && <Verdict finding={verdict} />}
    </li>
  );
}
