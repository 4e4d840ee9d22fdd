import { type ReactNode, Suspense, useEffect } from 'react';
import { useLocation } from 'wouter';
import { type Place, placeOf } from './address.ts';
import { lazily } from './lazily.ts';
import { Home } from './pages/home.tsx';
import { Login } from './pages/login.tsx';
import { Tags } from './pages/tags.tsx';
import { Boundary } from './parts/boundary.tsx';
import { Frame } from './parts/frame.tsx';
import { RepositoryFrame } from './parts/repository-frame.tsx';
import { NotFound, Skeleton } from './parts/states.tsx';
import type { Text } from './text/en.ts';
import { useText } from './text/text.ts';

const Image = lazily(async () => (await import('./pages/image.tsx')).Image);
const Compare = lazily(async () => (await import('./pages/compare.tsx')).Compare);
const Untagged = lazily(async () => (await import('./pages/untagged.tsx')).Untagged);
const History = lazily(async () => (await import('./pages/history.tsx')).History);
const Account = lazily(async () => (await import('./pages/account.tsx')).Account);

/** The page that the address names. */
export function Routes() {
  const [path] = useLocation();
  const text = useText();
  const place = placeOf(path);
  const title = titleOf(place, text);
  useEffect(() => {
    document.title = title;
  }, [title]);
  if (place.is === 'login') return <Login />;
  return (
    <Frame>
      <Boundary key={path}>
        <Suspense fallback={<Skeleton />}>{pageOf(place)}</Suspense>
      </Boundary>
    </Frame>
  );
}

function pageOf(place: Place): ReactNode {
  if (place.is === 'home') return <Home />;
  if (place.is === 'me') return <Account />;
  if (place.is === 'image') return <Image repository={place.repository} reference={place.reference} />;
  if (place.is !== 'repository') return <NotFound />;
  const { repository, view } = place;
  const shown = viewOf(repository, view);
  return shown !== undefined ? (
    <RepositoryFrame name={repository} view={view}>
      {shown}
    </RepositoryFrame>
  ) : (
    <NotFound />
  );
}

function viewOf(repository: string, view: string): ReactNode {
  if (view === 'tags') return <Tags repository={repository} />;
  if (view === 'untagged') return <Untagged repository={repository} />;
  if (view === 'compare') return <Compare repository={repository} />;
  if (view === 'history') return <History repository={repository} />;
  return undefined;
}

function titleOf(place: Place, text: Text): string {
  if (place.is === 'image') return `${place.reference.slice(0, 24)} · ${place.repository} · Stowage`;
  if (place.is === 'repository') return `${place.repository} · Stowage`;
  if (place.is === 'login') return `${text.logIn} · Stowage`;
  if (place.is === 'me') return `${text.account} · Stowage`;
  return 'Stowage';
}
