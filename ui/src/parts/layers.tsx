import { useState } from 'react';
import type { ImageContent } from '../../../api/types.ts';
import { useText } from '../text/text.ts';
import { Bytes, Copy, Digest } from './basics.tsx';

/** So many layers are shown at once; what has more is rare, and can be asked for. */
const MOST = 200;

/** The layers from the first, each with its size and with the line that made it. */
export function Layers({ layers, aligned }: Pick<ImageContent, 'layers' | 'aligned'>) {
  const text = useText();
  const [showsAll, setShowsAll] = useState(false);
  const largest = Math.max(...layers.map(({ size }) => size), 1);
  const shown = showsAll ? layers : layers.slice(0, MOST);
  return (
    <section>
      <h2>
        {text.layers} <span className="faint">{layers.length}</span>
      </h2>
      {!aligned && layers.length > 0 && <p className="faint">{text.notAligned}</p>}
      <ol className="layers">
        {shown.map(({ digest, size, line }, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: one digest may be there twice, and the order never changes
          <li key={index}>
            <meter value={size} max={largest} aria-hidden="true" />
            <Bytes of={size} />
            <span className="line">{line ?? <Digest of={digest} />}</span>
            <Copy text={digest} label={text.digest} />
          </li>
        ))}
      </ol>
      {shown.length < layers.length && (
        <button type="button" onClick={() => setShowsAll(true)}>
          {text.showAll(layers.length)}
        </button>
      )}
    </section>
  );
}
