import { useText } from '../text/text.ts';
import { Dialog } from './basics.tsx';

/** Which keys there are. */
export function KeyList({ onClose }: { readonly onClose: () => void }) {
  const text = useText();
  const keys = [
    ['Ctrl-K /', text.keySearch],
    ['j k', text.keyRows],
    ['x', text.keySelect],
    ['Enter', text.keyOpen],
    ['=', text.keyCompare],
    ['c', text.keyCommand],
    ['d', text.keyDigest],
    ['g', text.keyHome],
    ['?', text.keyHelp],
  ] as const;
  return (
    <Dialog title={text.keysTitle} onClose={onClose}>
      <dl className="facts">
        {keys.map(([key, does]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog">
        <button type="submit">{text.close}</button>
      </form>
    </Dialog>
  );
}
