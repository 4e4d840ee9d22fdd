import type { EdgeFunctions } from './runtime.ts';

const REALM = /realm="https:\/\/[^"]*\/token"/;

/** The functions of a front door that clients reach at `url`: the real one speaks HTTPS alone, and so names no other way to log in. */
export function withoutTls(edge: EdgeFunctions, url: string): EdgeFunctions {
  return {
    async viewerRequest(...given) {
      const outcome = await edge.viewerRequest(...given);
      const challenge = outcome.is === 'response' && outcome.response.headers['www-authenticate'];
      if (!challenge) return outcome;
      const value = challenge.value.replace(REALM, `realm="${url}/token"`);
      const headers = { ...outcome.response.headers, 'www-authenticate': { value } };
      return { is: 'response', response: { ...outcome.response, headers } };
    },
    viewerResponse: (...given) => edge.viewerResponse(...given),
  };
}
