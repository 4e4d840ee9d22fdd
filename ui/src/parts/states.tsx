import type { UseQueryResult } from '@tanstack/react-query';
import { type ReactNode, useEffect, useState } from 'react';
import { ApiError } from '../data/api.ts';
import { askForLogin, useViewer } from '../data/login.ts';
import { useText } from '../text/text.ts';

interface LoadedProps<T> {
  readonly query: UseQueryResult<T>;
  readonly children: (data: T) => ReactNode;
}

/** What a query has read, or that it is under way, or why it could not. What was read stays while it is read again. */
export function Loaded<T>({ query, children }: LoadedProps<T>) {
  if (query.data !== undefined)
    return <div className={query.isRefetchError ? 'stale' : undefined}>{children(query.data)}</div>;
  if (query.error) return <Failure error={query.error} again={() => void query.refetch()} />;
  return <Skeleton />;
}

/** Shown only where it takes a while, so that nothing flickers. */
export function Skeleton() {
  const { loading } = useText();
  const [isSlow, setSlow] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), 150);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div className="skeleton" role="status">
      {isSlow && <span>{loading}</span>}
    </div>
  );
}

/** Why something could not be read, and what to do. */
export function Failure({ error, again }: { readonly error: Error; readonly again: () => void }) {
  const text = useText();
  const status = error instanceof ApiError ? error.status : undefined;
  if (status === 404 || status === 401) return <NotFound />;
  return (
    <div className="box failure" role="alert">
      <p>{status === 0 ? text.offline : error.message}</p>
      {error instanceof ApiError && error.retryAfter !== undefined && (
        <Countdown seconds={error.retryAfter} />
      )}
      <button type="button" onClick={again}>
        {text.again}
      </button>
    </div>
  );
}

/** Until a client may try again. */
export function Countdown({ seconds }: { readonly seconds: number }) {
  const { waitSeconds } = useText();
  const [left, setLeft] = useState(seconds);
  useEffect(() => {
    const timer = setInterval(() => setLeft((now) => Math.max(now - 1, 0)), 1000);
    return () => clearInterval(timer);
  }, []);
  return left > 0 ? <p>{waitSeconds(left)}</p> : null;
}

/** Whether it exists or may not be seen is not told. */
export function NotFound() {
  const text = useText();
  const { data: viewer } = useViewer();
  return (
    <section className="box">
      <h1>{text.notFoundTitle}</h1>
      <p>{text.notFound}</p>
      {viewer?.is === 'stranger' && (
        <p>
          {text.notFoundLogin}{' '}
          <button type="button" onClick={() => askForLogin(true)}>
            {text.logIn}
          </button>
        </p>
      )}
    </section>
  );
}
