import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { Sessions } from '../../../api/types.ts';
import { api } from '../data/api.ts';
import { askForLogin, useViewer } from '../data/login.ts';
import { Ago } from '../parts/basics.tsx';
import { Loaded } from '../parts/states.tsx';
import { prefer, usePreferences } from '../preferences.ts';
import { useText } from '../text/text.ts';

/** Where the user is logged in, and how the page behaves in this browser. */
export function Account() {
  const text = useText();
  const { data: viewer } = useViewer();
  const { keys } = usePreferences();
  return (
    <>
      <h1>{text.accountTitle}</h1>
      {viewer?.is === 'user' && <OpenSessions />}
      {viewer?.is === 'stranger' && (
        <p>
          {text.stranger}{' '}
          <button type="button" onClick={() => askForLogin(true)}>
            {text.logIn}
          </button>
        </p>
      )}
      <label>
        <input type="checkbox" checked={keys} onChange={({ target }) => prefer({ keys: target.checked })} />{' '}
        {text.singleKeys} <span className="faint">{text.singleKeysHint}</span>
      </label>
    </>
  );
}

function OpenSessions() {
  const text = useText();
  const client = useQueryClient();
  const sessions = useQuery({ queryKey: ['sessions'], queryFn: () => api<Sessions>('GET /me/sessions') });
  const end = useMutation({
    mutationFn: (id: string) => api(`DELETE /me/sessions/${id}`),
    onSuccess: () => client.invalidateQueries(),
  });
  return (
    <section>
      <h2>{text.sessions}</h2>
      <Loaded query={sessions}>
        {({ sessions: all }) => (
          <ul className="rows tall">
            {all.map(({ id, agent, address, createdAt, seenAt, current }) => (
              <li key={id}>
                <span>
                  {agent} {current && <b>({text.thisBrowser})</b>}
                </span>
                <span className="faint">
                  {text.from} {address} · {text.since} <Ago time={createdAt} /> · {text.lastSeen}{' '}
                  <Ago time={seenAt} />
                </span>
                {!current && (
                  <button type="button" onClick={() => end.mutate(id)}>
                    {text.endSession}
                  </button>
                )}
              </li>
            ))}
          </ul>
        )}
      </Loaded>
    </section>
  );
}
