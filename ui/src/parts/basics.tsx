import { type ReactNode, useEffect, useRef, useState } from 'react';
import { agoText, bytesText, useText } from '../text/text.ts';

/** A number of bytes, exact on hover and for readers that ask. */
export function Bytes({ of }: { readonly of: number | undefined }) {
  const { language } = useText();
  if (of === undefined) return <span className="faint">–</span>;
  return <span title={`${of.toLocaleString(language)} B`}>{bytesText(of, language)}</span>;
}

/** How long ago it was; the exact time on hover. */
export function Ago({ time }: { readonly time: string | undefined }) {
  const { language, never } = useText();
  if (time === undefined) return <span className="faint">{never}</span>;
  return (
    <time dateTime={time} title={new Date(time).toLocaleString(language)}>
      {agoText(time, language, Date.now())}
    </time>
  );
}

/** The beginning and the end of a digest; all of it on hover. */
export function Digest({ of }: { readonly of: string }) {
  const [algorithm = '', hex = ''] = of.split(':');
  return (
    <code title={of}>
      {algorithm === 'sha256' ? '' : `${algorithm}:`}
      {hex.slice(0, 12)}
    </code>
  );
}

/** Copies a text, and says that it did. */
export function Copy({
  text,
  label,
  shortcut,
}: {
  readonly text: string;
  readonly label?: string;
  readonly shortcut?: string;
}) {
  const { copy, copied } = useText();
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setCopied(false), 2000);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const write = () => void navigator.clipboard?.writeText(text).then(() => setCopied(true));
  return (
    <button type="button" className="quiet" onClick={write} data-copy={shortcut} aria-keyshortcuts={shortcut}>
      <span aria-live="polite">{isCopied ? copied : (label ?? copy)}</span>
    </button>
  );
}

/** A command to paste, with a button that copies it. */
export function Command({ text, shortcut }: { readonly text: string; readonly shortcut?: string }) {
  return (
    <div className="command">
      <code>{text}</code>
      <Copy text={text} {...(shortcut && { shortcut })} />
    </div>
  );
}

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
  readonly className?: string;
}

/** A dialog of the browser's own: it holds the focus, and Escape closes it. */
export function Dialog({ title, onClose, children, className }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-label={title} onClose={onClose} className={className}>
      <h2>{title}</h2>
      {children}
    </dialog>
  );
}

/** Only addresses of the web become links; all else is text. */
export function MaybeLink({ text }: { readonly text: string }) {
  if (!/^https?:\/\/\S+$/.test(text) || !URL.canParse(text)) return <>{text}</>;
  return (
    <a href={new URL(text).href} rel="noopener noreferrer nofollow" target="_blank">
      {text}
    </a>
  );
}
