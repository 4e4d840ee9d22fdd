import { useLocation, useSearchParams } from 'wouter';
import { LoginForm } from '../parts/login-form.tsx';
import { useText } from '../text/text.ts';

/** Only a page of ours: `//host`, a backslash and an address with a scheme lead elsewhere. */
const nextOf = (text: string | null) => (/^\/(?![/\\])[^\\]*$/.test(text ?? '') ? (text ?? '/') : '/');

/** Asks who somebody is, and goes on to the page they wanted. */
export function Login() {
  return (
    <main id="content">
      <LoginBox />
    </main>
  );
}

/** The same, within a page. */
export function LoginBox() {
  const text = useText();
  const [, go] = useLocation();
  const [search] = useSearchParams();
  return (
    <div className="alone">
      <h1>Stowage</h1>
      <p>{text.loginTitle}</p>
      <LoginForm onDone={() => go(nextOf(search.get('next')), { replace: true })} />
      <p className="faint">{text.loginHint}</p>
    </div>
  );
}
