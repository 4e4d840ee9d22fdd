import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useId } from 'react';
import { ApiError } from '../data/api.ts';
import { logIn } from '../data/login.ts';
import type { Text } from '../text/en.ts';
import { useText } from '../text/text.ts';
import { Countdown } from './states.tsx';

/** Name and password; all that the page shows is read anew afterwards. */
export function LoginForm({ onDone }: { readonly onDone: () => void }) {
  const text = useText();
  const client = useQueryClient();
  const id = useId();
  const login = useMutation({
    mutationFn: ({ username, password }: { username: string; password: string }) => logIn(username, password),
    async onSuccess() {
      await client.resetQueries();
      onDone();
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    login.mutate({ username: `${form.get('username')}`, password: `${form.get('password')}` });
  };
  const { error } = login;
  return (
    <form onSubmit={submit} className="login">
      <label htmlFor={`${id}-name`}>{text.username}</label>
      <input id={`${id}-name`} name="username" autoComplete="username" autoCapitalize="none" required />
      <label htmlFor={`${id}-password`}>{text.password}</label>
      <input id={`${id}-password`} name="password" type="password" autoComplete="current-password" required />
      {error && (
        <div role="alert" className="failure">
          <p>{whyNot(error, text)}</p>
          {error instanceof ApiError && error.retryAfter !== undefined && (
            <Countdown seconds={error.retryAfter} />
          )}
        </div>
      )}
      <button type="submit" className="main" disabled={login.isPending}>
        {text.logIn}
      </button>
    </form>
  );
}

/** What most often goes wrong, in the reader's language. */
function whyNot(error: Error, text: Text): string {
  const status = error instanceof ApiError ? error.status : undefined;
  if (status === 0) return text.offline;
  return status === 401 ? text.wrongLogin : error.message;
}
