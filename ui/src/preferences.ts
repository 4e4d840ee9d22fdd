import { useSyncExternalStore } from 'react';
import { LANGUAGES, type Language } from './text/text.ts';

export type Theme = 'auto' | 'light' | 'dark';

/** What this browser keeps of how its user likes the page. */
interface Preferences {
  readonly theme: Theme;
  readonly language: Language;
  /** Whether keys of one letter do something. */
  readonly keys: boolean;
}

const STORED = 'stowage';

let current = read();
const listeners = new Set<() => void>();

function read(): Preferences {
  const usual: Preferences = { theme: 'auto', language: languageOf(navigator.languages), keys: true };
  try {
    return { ...usual, ...(JSON.parse(localStorage.getItem(STORED) ?? '{}') as Partial<Preferences>) };
  } catch {
    return usual;
  }
}

function languageOf(wanted: readonly string[]): Language {
  for (const one of wanted) {
    if (one.startsWith('zh')) return 'zh-CN';
    if (one.split('-')[0] === 'en') return 'en';
  }
  return 'en';
}

export const isLanguage = (text: string): text is Language => text in LANGUAGES;

export function prefer(change: Partial<Preferences>): void {
  current = { ...current, ...change };
  try {
    localStorage.setItem(STORED, JSON.stringify(current));
  } catch {
    // A browser that keeps nothing forgets it with the tab.
  }
  show();
  for (const listener of listeners) listener();
}

/** Has the document say what was chosen. */
export function show(): void {
  const { documentElement } = document;
  documentElement.lang = current.language;
  documentElement.dataset['theme'] = current.theme;
}

export const usePreferences = () =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => current,
  );
