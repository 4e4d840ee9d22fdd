import { useQuery } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import type { Me } from '../../../api/types.ts';
import { ApiError, api } from './api.ts';

/** Who looks at the page; a stranger sees what is public. */
export type Viewer =
  | { readonly is: 'user'; readonly me: Me }
  | { readonly is: 'open' }
  | { readonly is: 'stranger' };

async function readViewer(): Promise<Viewer> {
  try {
    const me = await api<Me>('GET /me');
    return me.open ? { is: 'open' } : { is: 'user', me };
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return { is: 'stranger' };
    throw error;
  }
}

export const useViewer = () => useQuery({ queryKey: ['me'], queryFn: readViewer, staleTime: 60_000 });

export const logIn = (username: string, password: string) => api('POST /session', { username, password });

export const logOut = () => api('DELETE /session');

/** Whether a session has ended under the page, which then asks for another login over what it shows. */
let isAsking = false;
const listeners = new Set<() => void>();

export function askForLogin(asks: boolean): void {
  isAsking = asks;
  for (const listener of listeners) listener();
}

export const useAsking = () =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => isAsking,
  );
