import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Ec2Fault, type Instance } from './instance.ts';

export interface Ec2Server {
  readonly url: string;
  /** Actions in the order of their arrival. */
  readonly calls: readonly string[];
  close(): Promise<void>;
}

/** EC2's Query API with one instance, as far as the registry asks it; it looks whether requests are signed for EC2, not by whom.
 *  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html */
export async function startEc2(id: string, instance: Instance): Promise<Ec2Server> {
  const calls: string[] = [];
  const server = createServer((incoming, outgoing) => {
    perform(incoming, { id, instance, calls }).then(
      (xml) => send(outgoing, 200, xml),
      (error: unknown) => sendError(outgoing, error),
    );
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

interface Account {
  readonly id: string;
  readonly instance: Instance;
  readonly calls: string[];
}

async function perform(incoming: IncomingMessage, { id, instance, calls }: Account): Promise<string> {
  const form = new URLSearchParams(await text(incoming));
  const signature = /^AWS4-HMAC-SHA256 Credential=[^,]+\/ec2\/aws4_request,/;
  if (!signature.test(incoming.headers.authorization ?? '')) throw new Ec2Fault('AuthFailure');
  if (form.get('Version') !== '2016-11-15') throw new Ec2Fault('NoSuchVersion');
  const action = form.get('Action') ?? '';
  calls.push(action);
  if (form.get('InstanceId.1') !== id) throw new Ec2Fault('InvalidInstanceID.NotFound');
  switch (action) {
    case 'StartInstances':
      instance.start();
      return changed(action, id, instance);
    case 'StopInstances':
      instance.stop();
      return changed(action, id, instance);
    case 'RebootInstances':
      instance.reboot();
      return `<RebootInstancesResponse><return>true</return></RebootInstancesResponse>`;
    case 'DescribeInstances':
      return described(id, instance.describe());
    default:
      throw new Ec2Fault('InvalidAction');
  }
}

/** As EC2 numbers them. */
const CODES = { pending: 0, running: 16, stopping: 64, stopped: 80 } as const;

const stateXml = (name: string, state: keyof typeof CODES) =>
  `<${name}><code>${CODES[state]}</code><name>${state}</name></${name}>`;

const changed = (action: string, id: string, { state }: Instance) =>
  `<${action}Response><instancesSet><item><instanceId>${id}</instanceId>${stateXml('currentState', state)}` +
  `</item></instancesSet></${action}Response>`;

const described = (id: string, state: keyof typeof CODES) =>
  `<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>${id}</instanceId>\n` +
  `${stateXml('instanceState', state)}</item></instancesSet></item></reservationSet></DescribeInstancesResponse>`;

function sendError(outgoing: ServerResponse, error: unknown): void {
  const code = error instanceof Ec2Fault ? error.code : 'InternalError';
  const status =
    { RequestLimitExceeded: 503, InsufficientInstanceCapacity: 500, InternalError: 500 }[code] ?? 400;
  send(
    outgoing,
    status,
    `<Response><Errors><Error><Code>${code}</Code><Message>${error}</Message></Error></Errors></Response>`,
  );
}

function send(outgoing: ServerResponse, status: number, xml: string): void {
  outgoing.writeHead(status, { 'Content-Type': 'text/xml;charset=UTF-8' });
  outgoing.end(`<?xml version="1.0" encoding="UTF-8"?>\n${xml}`);
}
