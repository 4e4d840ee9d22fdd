import { useEffect, useRef } from 'react';
import { usePreferences } from '../preferences.ts';

type Keys = Readonly<Record<string, () => void>>;

const IN_FIELDS = 'input, select, textarea, [contenteditable]';

/** What keys do on this page: `Control+k`, `j`. Those of one letter do nothing in fields and dialogs, nor where they are off. */
export function useKeys(keys: Keys): void {
  const { keys: takesLetters } = usePreferences();
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const isControl = event.ctrlKey || event.metaKey;
      const action = latest.current[isControl ? `Control+${event.key.toLowerCase()}` : event.key];
      const counts = isControl || (takesLetters && !isBusy(event.target));
      if (!action || !counts || event.altKey || event.defaultPrevented) return;
      event.preventDefault();
      action();
    };
    document.addEventListener('keydown', press);
    return () => document.removeEventListener('keydown', press);
  }, [takesLetters]);
}

function isBusy(target: EventTarget | null): boolean {
  if (document.querySelector('dialog[open]')) return true;
  const isField = target instanceof HTMLElement && target.closest(IN_FIELDS) !== null;
  return isField && !(target instanceof HTMLInputElement && target.type === 'checkbox');
}
