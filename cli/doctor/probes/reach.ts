import { once } from 'node:events';
import { connect } from 'node:tls';
import type { Deployment } from '../deployment.ts';
import { EVERY_FAMILY } from '../families.ts';
import { type Finding, failed, ok, warning } from '../finding.ts';
import type { Probe } from '../probe.ts';
import { describe } from '../tokens.ts';

const DAY_MS = 24 * 60 * 60_000;
const SHORT_DAYS = 14;
const CONNECT_MS = 15_000;

export const reach: Probe = {
  name: 'reach',
  title: 'TLS and reachability',
  needs: 'nothing',
  async run(deployment) {
    const secured = deployment.url.protocol === 'https:' ? await inspectTls(deployment.url) : undefined;
    if (secured?.verdict === 'warning') return secured;
    const transport = secured?.says ?? 'plain HTTP, on this machine only';
    return ok(`${transport}; GET /v2/ is answered in ${await pingMilliseconds(deployment)} ms`);
  },
};

async function pingMilliseconds(deployment: Deployment): Promise<number> {
  const meaning = {
    affects: EVERY_FAMILY,
    means: 'no client can use it',
    cure: 'check the name, its DNS record and what listens there',
  };
  const answer = await deployment.call('GET', '/v2/', { as: 'nobody' }).catch((error: Error) => {
    throw failed(`GET /v2/ got no answer: ${error.message}`, meaning);
  });
  if (answer.status === 200 || answer.status === 401) return Math.round(answer.milliseconds);
  throw failed(`GET /v2/ is answered ${describe(answer)}, which no registry does`, meaning);
}

async function inspectTls({ hostname, port }: URL): Promise<Finding> {
  const host = hostname.replace(/^\[|\]$/g, '');
  const socket = connect({
    host,
    port: Number(port || 443),
    ...(!/^[\d.]+$|:/.test(host) && { servername: host }),
    ALPNProtocols: ['h2', 'http/1.1'],
    timeout: CONNECT_MS,
  });
  socket.once('timeout', () => socket.destroy(new Error('no connection in 15 s')));
  try {
    await once(socket, 'secureConnect');
    const { valid_to: end } = socket.getPeerCertificate();
    const isH2 = socket.alpnProtocol === 'h2';
    return certificateFinding(`${socket.getProtocol()}${isH2 ? ', HTTP/2' : ''}`, new Date(end));
  } catch (error) {
    throw failed(`no TLS connection: ${(error as Error).message}`, {
      affects: EVERY_FAMILY,
      means: 'clients refuse a host that they cannot verify',
      cure: 'give the distribution a certificate for this name, or name your own CA with --ca FILE',
    });
  } finally {
    socket.destroy();
  }
}

function certificateFinding(transport: string, end: Date): Finding {
  const days = Math.floor((end.getTime() - Date.now()) / DAY_MS);
  const says = `${transport}, certificate good for ${days} days`;
  if (days >= SHORT_DAYS) return ok(says);
  return warning(says, {
    affects: EVERY_FAMILY,
    means: 'no client can use the registry after that',
    cure: 'see why the certificate is not renewed: ACM needs its DNS record to stay in place',
  });
}
