import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useId } from 'react';
import { ApiError } from '../data/api.ts';
import { logIn } from '../data/login.ts';
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
          <p>{error.message}</p>
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
