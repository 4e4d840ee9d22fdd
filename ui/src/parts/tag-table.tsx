// biome-ignore-all lint/a11y/useSemanticElements: rows of a table element cannot be placed one by one
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { useLayoutEffect, useRef, useState } from 'react';
import { Link, useLocation } from 'wouter';
import type { Finding, TagRow } from '../../../api/types.ts';
import { compareAddress, imageAddress } from '../address.ts';
import { type TagRowStore, useRows } from '../data/tag-rows.ts';
import type { Sort } from '../tag-order.ts';
import { useText } from '../text/text.ts';
import { Ago, Bytes, Digest } from './basics.tsx';
import { useKeys } from './keys.ts';

const ROW_PIXELS = 44;
const CARD_PIXELS = 76;
const NARROW = '(max-width: 700px)';

interface TagTableProps {
  readonly repository: string;
  readonly store: TagRowStore;
  /** All of them, in their order. */
  readonly names: readonly string[];
  readonly selected: ReadonlySet<string>;
  readonly onSelect: (selected: ReadonlySet<string>) => void;
  readonly verdicts: ReadonlyMap<string, Finding> | undefined;
  readonly sort: Sort;
  readonly isReversed: boolean;
  readonly onSort: (sort: Sort) => void;
}

/** A table of any length, of which only what is on the screen is in the document and read. */
export function TagTable(props: TagTableProps) {
  const { repository, store, names, selected, onSelect, verdicts } = props;
  const text = useText();
  const [, go] = useLocation();
  const body = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [current, setCurrent] = useState(0);
  useLayoutEffect(() => setTop(body.current?.offsetTop ?? 0), []);
  const isNarrow = matchMedia(NARROW).matches;
  const virtualizer = useWindowVirtualizer({
    count: names.length,
    estimateSize: () => (isNarrow ? CARD_PIXELS : ROW_PIXELS),
    overscan: 12,
    scrollMargin: top,
  });
  const items = virtualizer.getVirtualItems();
  useRows(
    store,
    items.map(({ index }) => names[index] ?? ''),
  );

  const toggle = (name: string) => onSelect(toggled(selected, name));
  const move = (step: number) => {
    const next = Math.min(Math.max(current + step, 0), names.length - 1);
    setCurrent(next);
    virtualizer.scrollToIndex(next);
    requestAnimationFrame(() => document.getElementById(`row-${next}`)?.focus());
  };
  const here = names[current] ?? '';
  const [a, b] = selected;
  useKeys({
    j: () => move(1),
    k: () => move(-1),
    x: () => toggle(here),
    Enter: () => openFocused(() => go(imageAddress(repository, here))),
    '=': () =>
      a !== undefined && b !== undefined && selected.size === 2 && go(compareAddress(repository, a, b)),
  });
  return (
    <div role="table" className="table tags" aria-label={text.tags} aria-rowcount={names.length + 1}>
      <Head {...props} />
      <div ref={body} role="rowgroup" className="body" style={{ height: virtualizer.getTotalSize() }}>
        {items.map(({ index, start, size }) => {
          const name = names[index] ?? '';
          return (
            <div
              key={name}
              id={`row-${index}`}
              role="row"
              tabIndex={index === current ? 0 : -1}
              aria-rowindex={index + 2}
              className={selected.has(name) ? 'row selected' : 'row'}
              style={{ transform: `translateY(${start - top}px)`, height: size }}
              onFocus={() => setCurrent(index)}
            >
              <Row
                {...{ repository, name, row: store.row(name), isSelected: selected.has(name) }}
                verdict={verdicts?.get(name)}
                showsVerdict={verdicts !== undefined}
                onToggle={() => toggle(name)}
              />
            </div>
          );
        })}
      </div>
    </div>
  );
}

/** Links and buttons do with Enter what they do. */
function openFocused(open: () => void): void {
  if (document.activeElement?.getAttribute('role') === 'row') open();
  else if (document.activeElement instanceof HTMLElement) document.activeElement.click();
}

function toggled(selected: ReadonlySet<string>, name: string): ReadonlySet<string> {
  const next = new Set(selected);
  if (!next.delete(name)) next.add(name);
  return next;
}

function Head({ names, selected, onSelect, sort, isReversed, onSort, verdicts }: TagTableProps) {
  const text = useText();
  const isAll = names.length > 0 && names.every((name) => selected.has(name));
  const sortable = (column: Sort, label: string) => (
    <span
      role="columnheader"
      tabIndex={-1}
      aria-sort={sortOf(column === sort || (column === 'version' && sort === 'name'), isReversed)}
    >
      <button type="button" className="quiet" onClick={() => onSort(column)}>
        {label}
      </button>
    </span>
  );
  return (
    <div role="rowgroup">
      <div role="row" className="row head" tabIndex={-1} aria-rowindex={1}>
        <span role="columnheader" tabIndex={-1}>
          <input
            type="checkbox"
            aria-label={text.selectAll}
            checked={isAll}
            onChange={() => onSelect(isAll ? new Set() : new Set(names))}
          />
        </span>
        {sortable('version', text.tag)}
        <span role="columnheader" tabIndex={-1}>
          {text.digest}
        </span>
        {sortable('size', text.size)}
        <span role="columnheader" tabIndex={-1}>
          {text.platforms}
        </span>
        {sortable('pushed', text.pushed)}
        {sortable('pulled', text.pulled)}
        {verdicts && (
          <span role="columnheader" tabIndex={-1}>
            {text.stays}
          </span>
        )}
      </div>
    </div>
  );
}

const sortOf = (isSorted: boolean, isReversed: boolean) =>
  isSorted ? (isReversed ? 'ascending' : 'descending') : 'none';

interface RowProps {
  readonly repository: string;
  readonly name: string;
  readonly row: TagRow | 'missing' | undefined;
  readonly isSelected: boolean;
  readonly verdict: Finding | undefined;
  readonly showsVerdict: boolean;
  readonly onToggle: () => void;
}

function Row({ repository, name, row, isSelected, verdict, showsVerdict, onToggle }: RowProps) {
  const text = useText();
  const known = row === 'missing' ? undefined : row;
  return (
    <>
      <span role="cell">
        <input
          type="checkbox"
          aria-label={text.select(name)}
          checked={isSelected}
          onChange={onToggle}
          tabIndex={-1}
        />
      </span>
      <span role="cell" className="name">
        <Link href={imageAddress(repository, name)}>{name}</Link>
        {row === 'missing' && <span className="faint"> {text.gone}</span>}
      </span>
      <span role="cell">{known && <Digest of={known.digest} />}</span>
      <span role="cell">{known && <Bytes of={known.imageBytes} />}</span>
      <span role="cell" className="platforms">
        {known?.platforms?.map((platform) => platform.replace(/^linux\//, '')).join(' ')}
      </span>
      <span role="cell">
        {known && <Ago time={known.taggedAt} />}{' '}
        <span className="faint">{known?.by?.replace(/^user:/, '')}</span>
      </span>
      <span role="cell">{known && <Ago time={known.pulledAt} />}</span>
      {showsVerdict && (
        <span role="cell" className="verdict">
          <Verdict finding={verdict} />
        </span>
      )}
    </>
  );
}

/** What retention does with it, and why: in words, for the mark alone says nothing to a reader. */
export function Verdict({ finding }: { readonly finding: Finding | undefined }) {
  const text = useText();
  if (!finding) return <span className="faint">◌ {text.verdictNone}</span>;
  const goes = finding.action === 'delete';
  return (
    <span className={goes ? 'goes' : ''} title={finding.reason}>
      {goes ? `○ ${text.verdictGoes}` : `● ${text.verdictStays}`}: {finding.reason}
    </span>
  );
}
