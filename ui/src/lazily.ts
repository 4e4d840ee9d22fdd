import { type ComponentType, lazy } from 'react';

const RELOADED = 'stowage-reloaded';

/** A page that is loaded when it is first shown. After a deployment its piece may be gone: then the page is loaded anew, once. Throws where
 *  that did not help, or the registry cannot be reached. */
export function lazily<P>(load: () => Promise<ComponentType<P>>) {
  return lazy(async () => {
    try {
      const found = await load();
      sessionStorage.removeItem(RELOADED);
      return { default: found };
    } catch (error) {
      if (sessionStorage.getItem(RELOADED) || !(await isReachable())) throw error;
      sessionStorage.setItem(RELOADED, '1');
      location.reload();
      return new Promise<never>(() => undefined);
    }
  });
}

const isReachable = () =>
  fetch('/healthz', { cache: 'no-store' }).then(
    ({ ok }) => ok,
    () => false,
  );
