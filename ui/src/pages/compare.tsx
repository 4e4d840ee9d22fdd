import { type FormEvent, useId } from 'react';
import { Link, useSearchParams } from 'wouter';
import type { ImageContent, ImageView } from '../../../api/types.ts';
import { type ComparedRow, type Comparison, compareImages } from '../../../functions/oci/compare.ts';
import { imageAddress } from '../address.ts';
import { useImage, useTagNames } from '../data/repositories.ts';
import { Bytes, Digest } from '../parts/basics.tsx';
import { Loaded } from '../parts/states.tsx';
import { bytesText, useText } from '../text/text.ts';

/** Two images of a repository, layer by layer, with the lines that made them. */
export function Compare({ repository }: { readonly repository: string }) {
  const text = useText();
  const [search, setSearch] = useSearchParams();
  const [a, b] = [search.get('a') ?? '', search.get('b') ?? ''];
  const platform = search.get('platform') ?? undefined;
  return (
    <>
      <Choice {...{ repository, a, b }} onChoose={(choice) => setSearch(choice)} />
      {a !== '' && b !== '' ? (
        <Both {...{ repository, a, b, platform }} onPlatform={(platform) => setSearch({ a, b, platform })} />
      ) : (
        <p className="box">{text.comparePick}</p>
      )}
    </>
  );
}

interface Pair {
  readonly repository: string;
  readonly a: string;
  readonly b: string;
}

function Choice({
  repository,
  a,
  b,
  onChoose,
}: Pair & { readonly onChoose: (choice: Record<string, string>) => void }) {
  const text = useText();
  const id = useId();
  const { data: names = [] } = useTagNames(repository);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    onChoose({ a: `${form.get('a')}`.trim(), b: `${form.get('b')}`.trim() });
  };
  return (
    <form onSubmit={submit} className="tools" key={`${a} ${b}`}>
      <label>
        a <input name="a" defaultValue={a} list={id} autoComplete="off" required />
      </label>
      <label>
        b <input name="b" defaultValue={b} list={id} autoComplete="off" required />
      </label>
      <datalist id={id}>
        {names.slice(0, 1000).map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <button type="submit">{text.compare}</button>
    </form>
  );
}

interface BothProps extends Pair {
  readonly platform: string | undefined;
  readonly onPlatform: (platform: string) => void;
}

function Both({ repository, a, b, platform, onPlatform }: BothProps) {
  const left = useImage(repository, a);
  const right = useImage(repository, b);
  if (!left.data) return <Loaded query={left}>{() => null}</Loaded>;
  if (!right.data) return <Loaded query={right}>{() => null}</Loaded>;
  const all = commonPlatforms(left.data, right.data);
  const chosen = platform ?? all[0];
  return (
    <>
      {all.length > 1 && <PlatformChoice {...{ all, chosen, onPlatform }} />}
      <Contents {...{ repository, a, b }} platform={all.length > 0 ? chosen : undefined} />
    </>
  );
}

/** Of an image alone there is but one, which fits whatever the other has. */
function commonPlatforms(a: ImageView, b: ImageView): readonly string[] {
  const [left, right] = [platformsIn(a), platformsIn(b)];
  if (left.length === 0 || right.length === 0) return [...left, ...right];
  return left.filter((one) => right.includes(one));
}

const platformsIn = ({ children = [] }: ImageView) =>
  children.flatMap(({ platform, kind }) => (kind === 'image' && platform) || []);

interface PlatformChoiceProps {
  readonly all: readonly string[];
  readonly chosen: string | undefined;
  readonly onPlatform: (platform: string) => void;
}

function PlatformChoice({ all, chosen, onPlatform }: PlatformChoiceProps) {
  const { platforms } = useText();
  return (
    <label className="tools">
      {platforms}{' '}
      <select value={chosen} onChange={({ target }) => onPlatform(target.value)}>
        {all.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
    </label>
  );
}

function Contents({ repository, a, b, platform }: Pair & { readonly platform: string | undefined }) {
  const text = useText();
  const left = useImage(repository, a, platform);
  const right = useImage(repository, b, platform);
  return (
    <Loaded query={left}>
      {(one) => (
        <Loaded query={right}>
          {(other) =>
            one.image && other.image ? (
              <Difference {...{ repository, one, other }} a={one.image} b={other.image} />
            ) : (
              <p className="box">{text.compareNoImage}</p>
            )
          }
        </Loaded>
      )}
    </Loaded>
  );
}

interface DifferenceProps {
  readonly repository: string;
  readonly one: ImageView;
  readonly other: ImageView;
  readonly a: ImageContent;
  readonly b: ImageContent;
}

function Difference({ repository, one, other, a, b }: DifferenceProps) {
  const text = useText();
  const comparison = compareImages(a, b);
  const rows = comparison.rows.filter(({ is }) => is !== 'same');
  const same = comparison.rows.filter(({ is, a: layer }) => is === 'same' && layer).length;
  const { bytes } = comparison;
  const size = bytesText(Math.abs(bytes), text.language);
  return (
    <>
      <h2>
        <Link href={imageAddress(repository, one.tag ?? one.digest)}>
          a {one.tag ?? one.digest.slice(0, 19)}
        </Link>{' '}
        ⇄{' '}
        <Link href={imageAddress(repository, other.tag ?? other.digest)}>
          b {other.tag ?? other.digest.slice(0, 19)}
        </Link>{' '}
        <span className="faint">
          {bytes === 0 ? text.equal : bytes > 0 ? text.larger(size) : text.smaller(size)}
        </span>
      </h2>
      <p>{text.sameLayers(same)}</p>
      {rows.length > 0 && (
        <ol className="layers difference">
          {rows.map((row, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows are what is between two images that never change
            <Changed key={index} row={row} />
          ))}
        </ol>
      )}
      <ConfigChanges changes={comparison.config} />
    </>
  );
}

function Changed({ row: { is, line, a, b, bytes } }: { readonly row: ComparedRow }) {
  const text = useText();
  const marks = { same: '=', changed: '~', added: '+', removed: '−' };
  const says = {
    same: text.rowSame,
    changed: text.rowChanged,
    added: text.rowAdded,
    removed: text.rowRemoved,
  };
  const digest = (b ?? a)?.digest;
  return (
    <li className={is}>
      <span aria-hidden="true">{marks[is]}</span>
      <span>
        {a && b ? (
          <>
            <Bytes of={a.size} /> → <Bytes of={b.size} />
          </>
        ) : (
          (a ?? b) && <Bytes of={Math.abs(bytes)} />
        )}
      </span>
      <span className="line">{line ?? (digest !== undefined && <Digest of={digest} />)}</span>
      <span className="faint">{says[is]}</span>
    </li>
  );
}

function ConfigChanges({ changes }: { readonly changes: Comparison['config'] }) {
  const text = useText();
  if (changes.length === 0) return <p className="faint">{text.noConfigChanges}</p>;
  return (
    <section>
      <h2>{text.configChanges}</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">{text.field}</th>
            <th scope="col">a</th>
            <th scope="col">b</th>
          </tr>
        </thead>
        <tbody>
          {changes.map(({ field, a, b }) => (
            <tr key={field}>
              <th scope="row">{field}</th>
              <td>{a ?? <span className="faint">{text.nothing}</span>}</td>
              <td>{b ?? <span className="faint">{text.nothing}</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
