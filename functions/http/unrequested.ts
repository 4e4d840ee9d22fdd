/** A method that fetch's `Request` refuses to be made with. It is none of ours; so it is answered as any other that an endpoint does
 *  not know, where the request is made with another one and says its own. */
export const isUnrequested = (method: string) => method === 'TRACE';

/** A request of any method: `GET` for one that has to be given another at first. */
export function withMethod(method: string, make: (method: string) => Request): Request {
  if (!isUnrequested(method)) return make(method);
  return Object.defineProperty(make('GET'), 'method', { value: method });
}
