import { type KeyboardEvent, useDeferredValue, useId, useState } from 'react';
import { useLocation } from 'wouter';
import type { SearchResult } from '../../../api/types.ts';
import { imageAddress, repositoryAddress } from '../address.ts';
import { useSearch } from '../data/repositories.ts';
import { useText } from '../text/text.ts';
import { Dialog } from './basics.tsx';

interface Hit {
  readonly label: string;
  readonly address: string;
}

/** Finds repositories, `name:tag` and digests; arrows choose, Enter opens. */
export function Palette({ onClose }: { readonly onClose: () => void }) {
  const text = useText();
  const id = useId();
  const [, go] = useLocation();
  const [typed, setTyped] = useState('');
  const [chosen, setChosen] = useState(0);
  const { data, isFetching } = useSearch(useDeferredValue(typed));
  const hits = data && typed.trim() !== '' ? hitsOf(data) : [];
  const open = (hit: Hit | undefined) => {
    if (!hit) return;
    go(hit.address);
    onClose();
  };
  const press = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) setChosen(Math.min(Math.max(chosen + step, 0), hits.length - 1));
    if (event.key === 'Enter') open(hits[chosen]);
    if (step || event.key === 'Enter') event.preventDefault();
  };
  return (
    <Dialog title={text.search} onClose={onClose} className="palette">
      <input
        role="combobox"
        aria-label={text.paletteHint}
        placeholder={text.paletteHint}
        aria-expanded={hits.length > 0}
        aria-controls={`${id}-hits`}
        aria-activedescendant={hits.length > 0 ? `${id}-${chosen}` : undefined}
        autoComplete="off"
        spellCheck={false}
        value={typed}
        onKeyDown={press}
        onChange={({ target }) => {
          setTyped(target.value);
          setChosen(0);
        }}
      />
      <div role="listbox" id={`${id}-hits`} aria-label={text.search}>
        {hits.map((hit, index) => (
          <div
            key={hit.address}
            id={`${id}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === chosen}
            onClick={() => open(hit)}
            onKeyDown={press}
          >
            {hit.label}
          </div>
        ))}
      </div>
      <p className="faint" role="status">
        {data?.more && text.paletteMore}
        {typed.trim() !== '' && !isFetching && hits.length === 0 && text.paletteNothing}
      </p>
    </Dialog>
  );
}

function hitsOf({ repositories, tags, manifests }: SearchResult): Hit[] {
  return [
    ...tags.map(({ repository, tag }) => ({
      label: `${repository}:${tag}`,
      address: imageAddress(repository, tag),
    })),
    ...repositories.map((name) => ({ label: name, address: repositoryAddress(name) })),
    ...manifests.map(({ repository, digest }) => ({
      label: `${repository}@${digest.slice(0, 19)}…`,
      address: imageAddress(repository, digest),
    })),
  ].slice(0, 50);
}
