import { requireStores } from '../registry/readiness.ts';
import type { Call } from './call.ts';

/** `GET /healthz`, without a login: the process lives and answers. It asks no store, which a new start would not mend. */
export function live(): Response {
  return Response.json({ status: 'ok' }, { headers: UNKEPT });
}

/** `GET /readyz`, without a login: 200 where both stores answer, else 503. */
export async function ready({ registry, room }: Call): Promise<Response> {
  await requireStores(registry, room);
  return Response.json({ status: 'ok' }, { headers: UNKEPT });
}

const UNKEPT = { 'Cache-Control': 'no-store' };
