import { useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useEffect, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { askForLogin, logOut, useAsking, useViewer, type Viewer } from '../data/login.ts';
import { isLanguage, prefer, type Theme, usePreferences } from '../preferences.ts';
import { LANGUAGES, useText } from '../text/text.ts';
import { Dialog } from './basics.tsx';
import { KeyList } from './key-list.tsx';
import { useKeys } from './keys.ts';
import { LoginForm } from './login-form.tsx';
import { Palette } from './palette.tsx';

/** What stands around each page: the way home, search, who is logged in. */
export function Frame({ children }: { readonly children: ReactNode }) {
  const text = useText();
  const { data: viewer } = useViewer();
  const [isSearching, setSearching] = useState(false);
  const [listsKeys, setListsKeys] = useState(false);
  const [, go] = useLocation();
  useKeys({ 'Control+k': () => setSearching(true), '/': () => setSearching(true) });
  useKeys({ '?': () => setListsKeys(true), g: () => go('/') });
  const asks = useAsking();
  return (
    <>
      <a className="skip" href="#content">
        {text.skip}
      </a>
      <header>
        <Link href="/" className="home">
          Stowage
        </Link>
        <button
          type="button"
          className="search"
          onClick={() => setSearching(true)}
          aria-keyshortcuts="Control+K"
        >
          {text.search} <kbd>Ctrl-K</kbd>
        </button>
        {viewer && <Who viewer={viewer} />}
      </header>
      <Offline />
      {viewer?.is === 'open' && <p className="notice">{text.openMode}</p>}
      <main id="content" tabIndex={-1}>
        {children}
      </main>
      <Choices />
      {isSearching && <Palette onClose={() => setSearching(false)} />}
      {listsKeys && <KeyList onClose={() => setListsKeys(false)} />}
      {asks && (
        <Dialog title={text.logIn} onClose={() => askForLogin(false)}>
          {viewer?.is === 'user' && <p>{text.loginEnded}</p>}
          <LoginForm onDone={() => askForLogin(false)} />
        </Dialog>
      )}
    </>
  );
}

function Who({ viewer }: { readonly viewer: Viewer }) {
  const text = useText();
  const client = useQueryClient();
  const [path, go] = useLocation();
  if (viewer.is === 'open') return null;
  if (viewer.is === 'stranger')
    return <Link href={`/login?next=${encodeURIComponent(path)}`}>{text.logIn}</Link>;
  const leave = async () => {
    await logOut().catch(() => undefined);
    client.clear();
    go('/login');
  };
  return (
    <nav aria-label={text.account}>
      <Link href="/me">{viewer.me.principal.replace(/^user:/, '')}</Link>
      <button type="button" className="quiet" onClick={() => void leave()}>
        {text.logOut}
      </button>
    </nav>
  );
}

function Offline() {
  const { offline } = useText();
  const [isOffline, setOffline] = useState(!navigator.onLine);
  useEffect(() => {
    const look = () => setOffline(!navigator.onLine);
    window.addEventListener('online', look);
    window.addEventListener('offline', look);
    return () => {
      window.removeEventListener('online', look);
      window.removeEventListener('offline', look);
    };
  }, []);
  return isOffline ? (
    <p className="notice" role="alert">
      {offline}
    </p>
  ) : null;
}

/** How the page looks and in which language it speaks, in this browser. */
function Choices() {
  const text = useText();
  const { theme, language } = usePreferences();
  const themes = { auto: text.themeAuto, light: text.themeLight, dark: text.themeDark };
  return (
    <footer>
      <label>
        {text.theme}{' '}
        <select value={theme} onChange={({ target }) => prefer({ theme: target.value as Theme })}>
          {Object.entries(themes).map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label>
        {text.languageLabel}{' '}
        <select
          value={language}
          onChange={({ target }) => isLanguage(target.value) && prefer({ language: target.value })}
        >
          {Object.entries(LANGUAGES).map(([value, label]) => (
            <option key={value} value={value} lang={value}>
              {label}
            </option>
          ))}
        </select>
      </label>
    </footer>
  );
}
