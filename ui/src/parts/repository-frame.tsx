import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { repositoryAddress } from '../address.ts';
import { useRepository } from '../data/repositories.ts';
import { useText } from '../text/text.ts';
import { Loaded } from './states.tsx';

interface RepositoryFrameProps {
  readonly name: string;
  readonly view: string;
  readonly children: ReactNode;
}

/** What stands above each view of a repository: its name, who may see it, what the viewer may do. */
export function RepositoryFrame({ name, view, children }: RepositoryFrameProps) {
  const text = useText();
  const views = [
    ['tags', text.tags, repositoryAddress(name)],
    ['untagged', text.untagged, repositoryAddress(name, 'untagged')],
    ['compare', text.compare, repositoryAddress(name, 'compare')],
  ] as const;
  return (
    <Loaded query={useRepository(name)}>
      {({ visibility, may }) => (
        <>
          <RepositoryTitle name={name} />
          <p className="faint">
            {visibility === 'public' ? text.public : text.private} · {text.youMay(may.join(', '))}
          </p>
          <nav className="views" aria-label={text.viewsOf(name)}>
            {views.map(([key, label, address]) => (
              <Link key={key} href={address} aria-current={key === view ? 'page' : undefined}>
                {label}
              </Link>
            ))}
          </nav>
          {children}
        </>
      )}
    </Loaded>
  );
}

/** The name, with the way home before it. */
export function RepositoryTitle({ name, suffix }: { readonly name: string; readonly suffix?: string }) {
  const { repositories } = useText();
  return (
    <h1 className="title">
      <Link href="/" className="faint">
        {repositories}
      </Link>{' '}
      / {suffix === undefined ? name : <Link href={repositoryAddress(name)}>{name}</Link>}
      {suffix}
    </h1>
  );
}
