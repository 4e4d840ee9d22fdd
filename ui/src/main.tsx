import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { createRoot } from 'react-dom/client';
import { ApiError } from './data/api.ts';
import { askForLogin } from './data/login.ts';
import './look/page.css';
import { show, usePreferences } from './preferences.ts';
import { Routes } from './routes.tsx';
import { TextContext, textIn } from './text/text.ts';

/** What is older is read again when somebody looks at the page again. */
const STALE_MS = 30_000;

/** A session that ended is asked for over the page; who never had one is a stranger, who sees what is public. */
function notice(error: Error, client: QueryClient): void {
  const viewer = client.getQueryData<{ readonly is: string }>(['me']);
  if (error instanceof ApiError && error.status === 401 && viewer?.is === 'user') askForLogin(true);
}

const client: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError: (error) => notice(error, client) }),
  mutationCache: new MutationCache({ onError: (error) => notice(error, client) }),
  defaultOptions: {
    queries: {
      staleTime: STALE_MS,
      // What the registry has refused, it refuses again.
      retry: (count, error) =>
        count < 2 && error instanceof ApiError && (error.status === 0 || error.status >= 500),
    },
  },
});

function App() {
  const { language } = usePreferences();
  return (
    <TextContext value={textIn(language)}>
      <Routes />
    </TextContext>
  );
}

show();
const root = document.getElementById('page');
if (root)
  createRoot(root).render(
    <QueryClientProvider client={client}>
      <App />
    </QueryClientProvider>,
  );
