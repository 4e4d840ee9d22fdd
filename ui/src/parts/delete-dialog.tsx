import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import type { TagDeletion } from '../../../api/types.ts';
import { deleteTags } from '../data/repositories.ts';
import { useText } from '../text/text.ts';
import { Bytes, Dialog } from './basics.tsx';
import { Loaded } from './states.tsx';

/** What one request deletes. */
const A_REQUEST = 100;

interface DeleteDialogProps {
  readonly repository: string;
  readonly names: readonly string[];
  readonly onClose: () => void;
  readonly onDeleted: (deleted: readonly TagDeletion[]) => void;
}

async function inParts(
  repository: string,
  names: readonly string[],
  dryRun: boolean,
): Promise<TagDeletion[]> {
  const all: TagDeletion[] = [];
  for (let from = 0; from < names.length; from += A_REQUEST) {
    const { tags } = await deleteTags(repository, names.slice(from, from + A_REQUEST), dryRun);
    all.push(...tags);
  }
  return all;
}

/** Tells of each tag what would become of it before anything does, and asks for their number. */
export function DeleteDialog({ repository, names, onClose, onDeleted }: DeleteDialogProps) {
  const text = useText();
  const preview = useQuery({
    queryKey: ['deletion', repository, names],
    queryFn: () => inParts(repository, names, true),
    gcTime: 0,
    staleTime: 0,
  });
  return (
    <Dialog title={text.deleteTitle(names.length)} onClose={onClose}>
      <Loaded query={preview}>{(found) => <Confirm {...{ repository, found, onClose, onDeleted }} />}</Loaded>
    </Dialog>
  );
}

interface ConfirmProps extends Omit<DeleteDialogProps, 'names'> {
  readonly found: readonly TagDeletion[];
}

function Confirm({ repository, found, onClose, onDeleted }: ConfirmProps) {
  const text = useText();
  const client = useQueryClient();
  const [typed, setTyped] = useState('');
  const going = found.filter(({ outcome }) => outcome === 'deleted').map(({ name }) => name);
  const remove = useMutation({
    mutationFn: () => inParts(repository, going, false),
    async onSuccess(done) {
      await client.invalidateQueries({ queryKey: ['names', repository] });
      onDeleted(done.filter(({ outcome }) => outcome === 'deleted'));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (typed.trim() === `${going.length}` && going.length > 0) remove.mutate();
  };
  return (
    <form onSubmit={submit}>
      <ul className="preview">
        {found.map((one) => (
          <li key={one.name}>
            <b>{one.name}</b> <Bytes of={one.imageBytes} /> <span className="faint">{fateOf(one, text)}</span>
          </li>
        ))}
      </ul>
      <p>{text.deleteUndo}</p>
      {remove.error && (
        <p role="alert" className="failure">
          {remove.error.message}
        </p>
      )}
      <label>
        {text.deleteType(going.length)}{' '}
        <input
          inputMode="numeric"
          autoComplete="off"
          size={6}
          value={typed}
          onChange={({ target }) => setTyped(target.value)}
        />
      </label>
      <p className="buttons">
        <button
          type="submit"
          className="danger"
          disabled={going.length === 0 || typed.trim() !== `${going.length}` || remove.isPending}
        >
          {text.delete}
        </button>
        <button type="button" onClick={onClose}>
          {text.cancel}
        </button>
      </p>
    </form>
  );
}

function fateOf(
  { outcome, alsoOn = [], reason = '' }: TagDeletion,
  text: ReturnType<typeof useText>,
): string {
  if (outcome === 'missing') return text.deleteMissing;
  if (outcome === 'refused') return `✗ ${text.deleteRefused} ${reason}`;
  return alsoOn.length > 0 ? text.deleteAlso(alsoOn.join(', ')) : text.deleteGoes;
}
