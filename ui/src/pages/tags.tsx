import { type ReactNode, useMemo, useState } from 'react';
import { useSearchParams } from 'wouter';
import type { TagRow } from '../../../api/types.ts';
import { useRepository, useTagNames, useVerdicts } from '../data/repositories.ts';
import { type Rows, TagRowStore, useRows } from '../data/tag-rows.ts';
import { Loaded } from '../parts/states.tsx';
import { TagActions } from '../parts/tag-actions.tsx';
import { TagTable } from '../parts/tag-table.tsx';
import { filterOf, isByName, isTechnical, SORTS, type Sort, sorted } from '../tag-order.ts';
import { useText } from '../text/text.ts';

/** So many rows are read without asking, where the order needs them. */
const MAX_READ_UNASKED = 1000;

/** The tags of a repository, all at once. */
export function Tags({ repository }: { readonly repository: string }) {
  return (
    <Loaded query={useTagNames(repository)}>
      {(names) => <Listed repository={repository} names={names} />}
    </Loaded>
  );
}

interface ListedProps {
  readonly repository: string;
  readonly names: readonly string[];
}

function Listed({ repository, names }: ListedProps) {
  const text = useText();
  const [store] = useState(() => new TagRowStore(repository));
  const [search, setSearch] = useSearchParams();
  const view = viewIn(search);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [readsAll, setReadsAll] = useState(false);
  const [wantsVerdicts, setWantsVerdicts] = useState(false);
  const verdicts = useVerdicts(repository, wantsVerdicts);
  const { data: { may = [] } = {} } = useRepository(repository);
  const { fitting, shown, isRead, technical } = useListed(store, names, view, readsAll);
  const change: Change = (changes) => setSearch((before) => changed(before, changes), { replace: true });
  return (
    <>
      <Tools {...{ view, change, technical }}>
        {may.includes('admin') && (
          <button
            type="button"
            onClick={() => setWantsVerdicts(true)}
            disabled={verdicts.isFetching || verdicts.data !== undefined}
          >
            {text.verdicts}
          </button>
        )}
        <span className="faint" role="status">
          {text.tagCount(fitting.length, names.length)}
        </span>
      </Tools>
      {!isRead && (
        <p className="notice">
          {text.sortNeedsRows(fitting.length)}{' '}
          <button type="button" onClick={() => setReadsAll(true)}>
            {text.readAll}
          </button>
        </p>
      )}
      {names.length === 0 && <p className="box">{text.noTags}</p>}
      {names.length > 0 && shown.length === 0 && <p className="box">{text.noTagFits(view.q)}</p>}
      {shown.length > 0 && (
        <TagTable
          {...{ repository, store, names: shown, selected, onSelect: setSelected, verdicts: verdicts.data }}
          sort={view.sort}
          isReversed={view.isReversed}
          onSort={(sort) => change({ sort, down: sort === view.sort && !view.isReversed ? '1' : undefined })}
        />
      )}
      <TagActions {...{ repository, store, may, selected, onSelect: setSelected }} />
    </>
  );
}

type View = ReturnType<typeof viewIn>;
type Change = (changes: Readonly<Record<string, string | undefined>>) => void;

/** Which tags fit, in their order; what that order needs of them is read, unless they are too many to do so unasked. */
function useListed(store: TagRowStore, names: readonly string[], view: View, readsAll: boolean) {
  const { q, sort, isReversed } = view;
  const people = useMemo(() => names.filter((name) => !isTechnical(name)), [names]);
  const listed = view.technical ? names : people;
  const fitting = useMemo(() => listed.filter(filterOf(q)), [listed, q]);
  const isRead = isByName(sort) || fitting.length <= MAX_READ_UNASKED || readsAll;
  const needsRows = isRead && !isByName(sort);
  const known = useRows(store, needsRows ? fitting : []);
  const rows = needsRows ? known : NO_ROWS;
  const shown = useMemo(
    () => sorted(fitting, { sort: isRead ? sort : 'version', isReversed }, (name) => rowIn(rows, name)),
    [fitting, isRead, sort, isReversed, rows],
  );
  return { fitting, shown, isRead, technical: names.length - people.length };
}

interface ToolsProps {
  readonly view: View;
  readonly change: Change;
  /** How many tags are hidden that only tools look for. */
  readonly technical: number;
  readonly children: ReactNode;
}

function Tools({ view, change, technical, children }: ToolsProps) {
  const text = useText();
  return (
    <div className="tools">
      <input
        type="search"
        aria-label={text.filterTags}
        placeholder={text.filterTags}
        value={view.q}
        onChange={({ target }) => change({ q: target.value })}
      />
      <label>
        {text.sortBy}{' '}
        <select value={view.sort} onChange={({ target }) => change({ sort: target.value, down: undefined })}>
          {SORTS.map((sort) => (
            <option key={sort} value={sort}>
              {sortText(sort, text)}
            </option>
          ))}
        </select>
      </label>
      {technical > 0 && !view.technical && (
        <button type="button" className="quiet" onClick={() => change({ technical: '1' })}>
          {text.technical(technical)}
        </button>
      )}
      {children}
    </div>
  );
}

const NO_ROWS: Rows = { of: () => undefined };

const rowIn = (rows: Rows, name: string): TagRow | undefined => {
  const row = rows.of(name);
  return row === 'missing' ? undefined : row;
};

function viewIn(search: URLSearchParams) {
  const sort = SORTS.find((one) => one === search.get('sort')) ?? 'version';
  const isReversed = search.get('down') === '1';
  return { q: search.get('q') ?? '', sort, isReversed, technical: search.get('technical') === '1' };
}

function changed(
  search: URLSearchParams,
  changes: Readonly<Record<string, string | undefined>>,
): URLSearchParams {
  const next = new URLSearchParams(search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === '') next.delete(name);
    else next.set(name, value);
  }
  return next;
}

function sortText(sort: Sort, text: ReturnType<typeof useText>): string {
  return {
    version: text.sortVersion,
    name: text.sortName,
    pushed: text.sortPushed,
    pulled: text.sortPulled,
    size: text.sortSize,
  }[sort];
}
