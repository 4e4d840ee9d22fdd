import { useState } from 'react';
import { Link, useSearchParams } from 'wouter';
import type { ImageChild, ImageView } from '../../../api/types.ts';
import { compareAddress, historyAddress, imageAddress } from '../address.ts';
import { useImage } from '../data/repositories.ts';
import { Ago, Bytes, Command, Copy, Digest } from '../parts/basics.tsx';
import { Config, Texts } from '../parts/config.tsx';
import { useKeys } from '../parts/keys.ts';
import { Layers } from '../parts/layers.tsx';
import { Referrers } from '../parts/referrers.tsx';
import { RepositoryTitle } from '../parts/repository-frame.tsx';
import { Loaded } from '../parts/states.tsx';
import { pullCommands } from '../pull-commands.ts';
import { useText } from '../text/text.ts';

interface ImageProps {
  readonly repository: string;
  /** A tag or a digest. */
  readonly reference: string;
}

/** One image, or whatever else lies under a tag or digest. Looking at it is no pull. */
export function Image({ repository, reference }: ImageProps) {
  const suffix = `${reference.includes(':') ? '@' : ':'}${reference}`;
  return (
    <>
      <RepositoryTitle name={repository} suffix={suffix} />
      <Loaded query={useImage(repository, reference)}>
        {(view) => <Shown {...{ repository, reference, view }} />}
      </Loaded>
    </>
  );
}

function Shown({ repository, reference, view }: ImageProps & { readonly view: ImageView }) {
  const text = useText();
  const press = (key: string) => () => document.querySelector<HTMLElement>(`[data-copy="${key}"]`)?.click();
  useKeys({ c: press('c'), d: press('d') });
  const kinds = { index: text.kindIndex, image: text.kindImage, artifact: text.kindArtifact };
  return (
    <>
      <Pull {...{ repository, view }} />
      <p>
        <Digest of={view.digest} /> <Copy text={view.digest} shortcut="d" /> · {kinds[view.kind]} ·{' '}
        <Bytes of={view.imageBytes} /> · {text.pushedAgo} <Ago time={view.pushedAt} />
        {view.by && ` ${text.by} ${view.by}`}
      </p>
      <Tags {...{ repository, view }} />
      {view.artifactType && <p className="faint">{view.artifactType}</p>}
      {view.subject && (
        <p>
          {text.refersTo}{' '}
          <Link href={imageAddress(repository, view.subject)}>{view.subject.slice(0, 19)}…</Link>
        </p>
      )}
      {view.children ? <Platforms {...{ repository, reference, view }} /> : <Content view={view} />}
      <Texts title={text.annotations} texts={view.annotations} />
      <Referrers {...{ repository, digest: view.digest }} />
    </>
  );
}

function Pull({ repository, view }: { readonly repository: string; readonly view: ImageView }) {
  const text = useText();
  const [byDigest, setByDigest] = useState(false);
  const [chosen, setChosen] = useState('');
  const commands = pullCommands(location.host, repository, view, byDigest);
  const client = commands.has(chosen) ? chosen : ([...commands.keys()][0] ?? '');
  return (
    <div className="pull">
      <Command text={commands.get(client) ?? ''} shortcut="c" />
      <label>
        {text.pullWith}{' '}
        <select value={client} onChange={({ target }) => setChosen(target.value)}>
          {[...commands.keys()].map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      {view.tag !== undefined && (
        <label>
          <input type="checkbox" checked={byDigest} onChange={({ target }) => setByDigest(target.checked)} />{' '}
          {text.byDigest}
        </label>
      )}
    </div>
  );
}

function Tags({
  repository,
  view: { tag, tags, more },
}: {
  readonly repository: string;
  readonly view: ImageView;
}) {
  const text = useText();
  const others = tags.filter((name) => name !== tag);
  return (
    <p>
      {others.length > 0 && (
        <>
          {text.alsoOn}:{' '}
          {others.map((name) => (
            <Link key={name} href={imageAddress(repository, name)} className="chip">
              {name}
            </Link>
          ))}
          {more && '…'}{' '}
        </>
      )}
      {tag !== undefined && (
        <>
          <Link href={historyAddress(repository, tag)}>{text.history}</Link> ·{' '}
          <Link href={compareAddress(repository, tag, others[0] ?? '')}>{text.compareWith}</Link>
        </>
      )}
    </p>
  );
}

function Platforms({ repository, reference, view }: ImageProps & { readonly view: ImageView }) {
  const text = useText();
  const [search, setSearch] = useSearchParams();
  const images = (view.children ?? []).filter(({ kind }) => kind !== 'attestation');
  const first = images.find(({ platform }) => platform !== undefined)?.platform;
  const platform = search.get('platform') ?? first;
  const image = useImage(repository, reference, platform);
  return (
    <section>
      <h2>{text.platforms}</h2>
      <ul className="chips">
        {images.map((child) => (
          <li key={child.digest}>
            <Platform
              {...{ repository, child }}
              isChosen={child.platform === platform}
              onChoose={setSearch}
            />
          </li>
        ))}
      </ul>
      {platform !== undefined && <Loaded query={image}>{(shown) => <Content view={shown} />}</Loaded>}
    </section>
  );
}

interface PlatformProps {
  readonly repository: string;
  readonly child: ImageChild;
  readonly isChosen: boolean;
  readonly onChoose: (search: Record<string, string>, options: { replace: boolean }) => void;
}

function Platform({
  repository,
  child: { digest, platform, imageBytes },
  isChosen,
  onChoose,
}: PlatformProps) {
  if (platform === undefined)
    return <Link href={imageAddress(repository, digest)}>{digest.slice(0, 19)}…</Link>;
  return (
    <button type="button" aria-pressed={isChosen} onClick={() => onChoose({ platform }, { replace: true })}>
      {platform} <Bytes of={imageBytes} />
    </button>
  );
}

function Content({ view: { image } }: { readonly view: ImageView }) {
  if (!image) return null;
  return (
    <>
      <Layers {...image} />
      <Config of={image.config} />
    </>
  );
}
