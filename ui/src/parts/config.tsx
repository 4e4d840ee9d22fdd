import type { ReactNode } from 'react';
import type { ConfigView } from '../../../api/types.ts';
import { useText } from '../text/text.ts';
import { Ago, MaybeLink } from './basics.tsx';

const SECRET = /(?:pass(?:word|wd)?|secret|token|api_?key|private_?key|credential)/i;

/** How an image starts, and what it brings along. */
export function Config({ of }: { readonly of: ConfigView }) {
  const text = useText();
  if (of.tooLarge) return <p className="box">{text.configTooLarge}</p>;
  const facts: readonly (readonly [string, ReactNode])[] = [
    [text.platforms, [of.os, of.architecture, of.variant].filter(Boolean).join('/')],
    [text.created, of.createdAt && <Ago time={of.createdAt} />],
    [text.entrypoint, of.entrypoint && JSON.stringify(of.entrypoint)],
    [text.command, of.cmd && JSON.stringify(of.cmd)],
    [text.user, of.user],
    [text.workdir, of.workdir],
    [text.ports, of.ports.join(' ')],
    [text.volumes, of.volumes.join(' ')],
  ];
  return (
    <>
      <section>
        <h2>{text.config}</h2>
        <dl className="facts">
          {facts.flatMap(([label, value]) =>
            value ? (
              <div key={label}>
                <dt>{label}</dt>
                <dd>{value}</dd>
              </div>
            ) : (
              []
            ),
          )}
        </dl>
      </section>
      {of.env.length > 0 && (
        <section>
          <h2>{text.environment}</h2>
          <ul className="lines">
            {of.env.map((line) => (
              <li key={line}>
                <code>{line}</code>
                {SECRET.test(line.split('=')[0] ?? '') && (
                  <span className="warning"> ⚠ {text.looksSecret}</span>
                )}
              </li>
            ))}
          </ul>
        </section>
      )}
      <Texts title={text.labels} texts={of.labels} />
    </>
  );
}

/** Labels or annotations: whatever they hold is shown as text. */
export function Texts({
  title,
  texts,
}: {
  readonly title: string;
  readonly texts: Readonly<Record<string, string>>;
}) {
  const entries = Object.entries(texts);
  if (entries.length === 0) return null;
  return (
    <section>
      <h2>{title}</h2>
      <dl className="facts">
        {entries.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <MaybeLink text={value} />
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
