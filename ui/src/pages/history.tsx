import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useSearchParams } from 'wouter';
import type { TagMove } from '../../../api/types.ts';
import { compareAddress, imageAddress } from '../address.ts';
import { putTag, useHistory, useRepository } from '../data/repositories.ts';
import { Ago, Dialog, Digest } from '../parts/basics.tsx';
import { Loaded, NotFound } from '../parts/states.tsx';
import { useText } from '../text/text.ts';

/** Where a tag was, and the way back. */
export function History({ repository }: { readonly repository: string }) {
  const [search] = useSearchParams();
  const tag = search.get('tag') ?? '';
  return tag === '' ? <NotFound /> : <OfTag {...{ repository, tag }} />;
}

function OfTag({ repository, tag }: { readonly repository: string; readonly tag: string }) {
  const text = useText();
  const [to, setTo] = useState<string>();
  const [done, setDone] = useState(false);
  const { data: { may = [] } = {} } = useRepository(repository);
  const mayPush = may.includes('push');
  return (
    <section>
      <h2>{text.historyTitle(tag)}</h2>
      {done && (
        <p className="notice" role="status">
          {text.rolledBack(tag)}
        </p>
      )}
      <Loaded query={useHistory(repository, tag)}>
        {({ history }) => (
          <>
            <ol className="rows">
              {history.map((move, index) => (
                <li key={move.at}>
                  <Move {...{ repository, move }} />
                  {index === 0 && move.digest !== undefined && <span className="faint">{text.current}</span>}
                  {move.digest !== undefined && move.digest !== history[0]?.digest && (
                    <button
                      type="button"
                      disabled={!mayPush}
                      title={mayPush ? undefined : text.needs('push', repository)}
                      onClick={() => setTo(move.digest)}
                    >
                      {text.rollBack}
                    </button>
                  )}
                </li>
              ))}
            </ol>
            {to !== undefined && (
              <RollBack
                {...{ repository, tag, to, now: history[0]?.digest }}
                onClose={() => setTo(undefined)}
                onDone={() => {
                  setTo(undefined);
                  setDone(true);
                }}
              />
            )}
          </>
        )}
      </Loaded>
    </section>
  );
}

function Move({
  repository,
  move: { digest, at, by },
}: {
  readonly repository: string;
  readonly move: TagMove;
}) {
  const text = useText();
  return (
    <>
      {digest === undefined ? (
        <b>{text.wasDeleted}</b>
      ) : (
        <Link href={imageAddress(repository, digest)}>
          <Digest of={digest} />
        </Link>
      )}
      <span className="faint">
        <Ago time={at} /> {by && `${text.by} ${by}`}
      </span>
    </>
  );
}

interface RollBackProps {
  readonly repository: string;
  readonly tag: string;
  readonly to: string;
  /** Where it is; absent where it is deleted. */
  readonly now: string | undefined;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

/** Says what moves before it does; somebody else's move in between is not undone. */
function RollBack({ repository, tag, to, now, onClose, onDone }: RollBackProps) {
  const text = useText();
  const client = useQueryClient();
  const move = useMutation({
    mutationFn: () => putTag(repository, tag, to, now),
    async onSuccess() {
      await client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[1] === repository });
      onDone();
    },
  });
  return (
    <Dialog title={text.rollBackTitle(tag)} onClose={onClose}>
      <p>
        {text.rollBackNow} {now === undefined ? text.wasDeleted : <Digest of={now} />}, {text.rollBackThen}{' '}
        <Digest of={to} />
      </p>
      <p>{text.rollBackText(tag)}</p>
      {now !== undefined && (
        <p>
          <Link href={compareAddress(repository, now, to)}>{text.showDifference}</Link>
        </p>
      )}
      {move.error && (
        <p role="alert" className="failure">
          {move.error.message}
        </p>
      )}
      <p className="buttons">
        <button type="button" className="main" disabled={move.isPending} onClick={() => move.mutate()}>
          {text.rollBack}
        </button>
        <button type="button" onClick={onClose}>
          {text.cancel}
        </button>
      </p>
    </Dialog>
  );
}
