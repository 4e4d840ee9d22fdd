import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import type { RepositoryAction, TagDeletion } from '../../../api/types.ts';
import { compareAddress } from '../address.ts';
import { putTag } from '../data/repositories.ts';
import type { TagRowStore } from '../data/tag-rows.ts';
import { useText } from '../text/text.ts';
import { Copy } from './basics.tsx';
import { DeleteDialog } from './delete-dialog.tsx';

interface TagActionsProps {
  readonly repository: string;
  readonly store: TagRowStore;
  readonly may: readonly RepositoryAction[];
  readonly selected: ReadonlySet<string>;
  readonly onSelect: (selected: ReadonlySet<string>) => void;
}

/** What can be done with the tags that are selected, and undone with those that were just deleted. */
export function TagActions({ repository, store, may, selected, onSelect }: TagActionsProps) {
  const text = useText();
  const [, go] = useLocation();
  const [asks, setAsks] = useState(false);
  const [deleted, setDeleted] = useState<readonly TagDeletion[]>([]);
  const names = [...selected];
  const [a = '', b = ''] = names;
  const mayDelete = may.includes('delete');
  return (
    <section className="actions" aria-label={text.selected(names.length)}>
      {names.length > 0 && (
        <>
          <span role="status">{text.selected(names.length)}</span>
          <button
            type="button"
            disabled={names.length !== 2}
            title={names.length === 2 ? undefined : text.compareTwo}
            onClick={() => go(compareAddress(repository, a, b))}
          >
            {text.compare}
          </button>
          <Copy label={text.copyDigests} text={digestsIn(store, names)} />
          <button
            type="button"
            className="danger"
            disabled={!mayDelete}
            title={mayDelete ? undefined : text.needs('delete', repository)}
            onClick={() => setAsks(true)}
          >
            {text.deleteMany}
          </button>
          <button type="button" className="quiet" onClick={() => onSelect(new Set())}>
            {text.clear}
          </button>
        </>
      )}
      {deleted.length > 0 && <Undo {...{ repository, store, deleted }} onDone={() => setDeleted([])} />}
      {asks && (
        <DeleteDialog
          {...{ repository, names }}
          onClose={() => setAsks(false)}
          onDeleted={(gone) => {
            setAsks(false);
            setDeleted(gone);
            store.forget(gone.map(({ name }) => name));
            onSelect(new Set());
          }}
        />
      )}
    </section>
  );
}

const digestsIn = (store: TagRowStore, names: readonly string[]) =>
  names
    .flatMap((name) => {
      const row = store.row(name);
      return row === undefined || row === 'missing' ? [] : [row.digest];
    })
    .join('\n');

interface UndoProps {
  readonly repository: string;
  readonly store: TagRowStore;
  readonly deleted: readonly TagDeletion[];
  readonly onDone: () => void;
}

/** A tag that was deleted has left its image where it was: it is put there again. */
function Undo({ repository, store, deleted, onDone }: UndoProps) {
  const text = useText();
  const client = useQueryClient();
  const undo = useMutation({
    async mutationFn() {
      for (const { name, digest } of deleted)
        if (digest !== undefined) await putTag(repository, name, digest);
    },
    async onSettled() {
      store.forget(deleted.map(({ name }) => name));
      await client.invalidateQueries({ queryKey: ['names', repository] });
    },
  });
  if (undo.isSuccess)
    return (
      <span role="status">
        {text.undone(deleted.length)}{' '}
        <button type="button" className="quiet" onClick={onDone}>
          {text.close}
        </button>
      </span>
    );
  return (
    <span role="status">
      {undo.error ? undo.error.message : text.deleted(deleted.length)}{' '}
      <button type="button" disabled={undo.isPending} onClick={() => undo.mutate()}>
        {text.undo}
      </button>
    </span>
  );
}
