import { useEffect, useSyncExternalStore } from 'react';
import type { TagRow, TagRows } from '../../../api/types.ts';
import { ApiError, api } from './api.ts';
import { askForLogin } from './login.ts';

const A_QUERY = 100;
const AT_ONCE = 3;

export interface Rows {
  of(name: string): TagRow | 'missing' | undefined;
}

/** What is known of the tags of one repository: rows are read for what is on the screen, a hundred with a request. */
export class TagRowStore {
  readonly repository: string;
  readonly #rows = new Map<string, TagRow | 'missing'>();
  readonly #wanted = new Set<string>();
  readonly #listeners = new Set<() => void>();
  #underWay = 0;
  /** Another one with each change, for whoever watches. */
  rows: Rows = this.#view();
  error: string | undefined;

  constructor(repository: string) {
    this.repository = repository;
  }

  readonly subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  row(name: string): TagRow | 'missing' | undefined {
    return this.#rows.get(name);
  }

  want(names: readonly string[]): void {
    for (const name of names) if (!this.#rows.has(name)) this.#wanted.add(name);
    this.#read();
  }

  forget(names: readonly string[]): void {
    for (const name of names) this.#rows.delete(name);
    this.#tell();
  }

  #read(): void {
    while (this.#wanted.size > 0 && this.#underWay < AT_ONCE) {
      const names = [...this.#wanted].slice(0, A_QUERY);
      for (const name of names) this.#wanted.delete(name);
      this.#underWay += 1;
      void this.#query(names).finally(() => {
        this.#underWay -= 1;
        this.#read();
        this.#tell();
      });
    }
  }

  async #query(names: readonly string[]): Promise<void> {
    try {
      const { tags, missing } = await api<TagRows>(`POST /repositories/${this.repository}/-/tags/query`, {
        names,
      });
      for (const tag of tags) this.#rows.set(tag.name, tag);
      for (const name of missing) this.#rows.set(name, 'missing');
      this.error = undefined;
    } catch (error) {
      this.error = error instanceof Error ? error.message : String(error);
      if (error instanceof ApiError && error.status === 401) askForLogin(true);
    }
  }

  #view(): Rows {
    return { of: (name) => this.row(name) };
  }

  #tell(): void {
    this.rows = this.#view();
    for (const listener of this.#listeners) listener();
  }
}

/** The rows of these names, which are read where they are not known. */
export function useRows(store: TagRowStore, names: readonly string[]): Rows {
  const rows = useSyncExternalStore(store.subscribe, () => store.rows);
  const key = names.join('\n');
  useEffect(() => store.want(key === '' ? [] : key.split('\n')), [store, key]);
  return rows;
}
