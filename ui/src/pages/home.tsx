import { useState } from 'react';
import { Link, useSearchParams } from 'wouter';
import type { Repository } from '../../../api/types.ts';
import { repositoryAddress } from '../address.ts';
import { useViewer, type Viewer } from '../data/login.ts';
import { useRepositories } from '../data/repositories.ts';
import { Command } from '../parts/basics.tsx';
import { Loaded } from '../parts/states.tsx';
import { useText } from '../text/text.ts';
import { LoginBox } from './login.tsx';

/** All repositories, as a tree of their first parts. */
export function Home() {
  const { data: viewer } = useViewer();
  const [waits] = useState(() => ({ since: Date.now() }));
  const isWaiting = viewer !== undefined && viewer.is !== 'stranger';
  const repositories = useRepositories(isWaiting ? waits : undefined);
  const [wasEmpty, setWasEmpty] = useState(false);
  if (isWaiting && repositories.data?.length === 0 && !wasEmpty) setWasEmpty(true);
  return (
    <Loaded query={repositories}>
      {(all) =>
        all.length === 0 && viewer ? (
          <Empty viewer={viewer} />
        ) : (
          <>
            {wasEmpty && <There all={all} />}
            <Tree all={all} />
          </>
        )
      }
    </Loaded>
  );
}

function Tree({ all }: { readonly all: readonly Repository[] }) {
  const text = useText();
  const [search, setSearch] = useSearchParams();
  const filter = search.get('q') ?? '';
  const shown = all.filter(({ name }) => name.includes(filter.trim().toLowerCase()));
  const teams = [...Map.groupBy(shown, ({ name }) => (name.includes('/') ? (name.split('/')[0] ?? '') : ''))];
  const { data: viewer } = useViewer();
  return (
    <>
      <h1>{text.repositories}</h1>
      {viewer?.is === 'stranger' && <p className="faint">{text.stranger}</p>}
      <div className="tools">
        <input
          type="search"
          aria-label={text.filterRepositories}
          placeholder={text.filterRepositories}
          value={filter}
          onChange={({ target }) =>
            setSearch(target.value === '' ? {} : { q: target.value }, { replace: true })
          }
        />
        <span className="faint" role="status">
          {text.repositoryCount(shown.length)}
        </span>
      </div>
      {shown.length === 0 && <p className="box">{text.noRepositoryFits(filter)}</p>}
      {teams.map(([team, repositories]) =>
        team === '' ? (
          <RepositoryList key={team} repositories={repositories} />
        ) : (
          <details key={team} open>
            <summary>
              {team} <span className="faint">{text.repositoryCount(repositories.length)}</span>
            </summary>
            <RepositoryList repositories={repositories} />
          </details>
        ),
      )}
    </>
  );
}

function RepositoryList({ repositories }: { readonly repositories: readonly Repository[] }) {
  const text = useText();
  return (
    <ul className="rows">
      {repositories.map(({ name, visibility }) => (
        <li key={name}>
          <Link href={repositoryAddress(name)}>{name}</Link>
          <span className="faint">{visibility === 'public' ? text.public : text.private}</span>
        </li>
      ))}
    </ul>
  );
}

function Empty({ viewer }: { readonly viewer: Viewer }) {
  const text = useText();
  if (viewer.is === 'stranger') return <LoginBox />;
  const { host } = location;
  const user = viewer.is === 'user' ? viewer.me.principal.replace(/^user:/, '') : undefined;
  return (
    <section className="box">
      <h1>{text.firstTitle}</h1>
      <p>{text.firstText}</p>
      {user !== undefined && <Command text={`docker login ${host} -u ${user}`} />}
      <Command text="docker pull alpine" />
      <Command text={`docker tag alpine ${host}/alpine`} />
      <Command text={`docker push ${host}/alpine`} />
      <p role="status">{text.firstWaiting}</p>
    </section>
  );
}

function There({ all }: { readonly all: readonly Repository[] }) {
  const { firstThere } = useText();
  return (
    <p className="notice" role="status">
      {firstThere}{' '}
      {all.map(({ name }) => (
        <Link key={name} href={repositoryAddress(name)}>
          {name}
        </Link>
      ))}
    </p>
  );
}
