import { Link } from 'wouter';
import { imageAddress } from '../address.ts';
import { useReferrers } from '../data/repositories.ts';
import { useText } from '../text/text.ts';
import { Bytes } from './basics.tsx';
import { Loaded } from './states.tsx';

/** Signatures, SBOMs and the like. That one is there says nothing of its worth: nothing is checked. */
export function Referrers({ repository, digest }: { readonly repository: string; readonly digest: string }) {
  const text = useText();
  return (
    <section>
      <h2>{text.referrers}</h2>
      <Loaded query={useReferrers(repository, digest)}>
        {(referrers) =>
          referrers.length === 0 ? (
            <p className="faint">{text.noReferrers}</p>
          ) : (
            <ul className="rows">
              {referrers.map(({ digest: own, kind, artifactType, mediaType, size }) => (
                <li key={own}>
                  <Link href={imageAddress(repository, own)}>{kind}</Link>
                  <span className="faint">
                    {artifactType ?? mediaType} · <Bytes of={size} /> · {text.notChecked}
                  </span>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </section>
  );
}
