import type { Server, Socket } from 'node:net';
import { networkOf } from '../functions/identity/network.ts';

interface ConnectionsOptions {
  /** How many may be open. */
  readonly all: number;
  /** How many of them from one address; `undefined` where a proxy makes them all. */
  readonly perAddress: number | undefined;
}

/** What a request comes on. */
export interface Connection {
  /** Whether it is one too many: of its address, or of all. */
  readonly surplus: 'ofAddress' | 'ofAll' | undefined;
  /** Requests that are not answered yet. */
  readonly requests: number;
}

interface Open extends Connection {
  readonly socket: Socket;
  readonly from: Neighbours;
  requests: number;
}

/** The connections of one address. */
interface Neighbours {
  readonly address: string;
  count: number;
  readonly idle: Set<Open>;
}

/** Those that are one too many and are told so; beyond them connections are closed without a word. */
const MAX_SURPLUS = 256;

/** Counts the connections of a server, in all and of each address. For one too many an idle one is closed; where none is, the
 *  host is told so. */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #open = new Map<string, Open>();
  /** Without a request under way; those that are so for longest come first. */
  readonly #idle = new Set<Open>();
  readonly #addresses = new Map<string, Neighbours>();
  #surplus = 0;

  constructor(server: Server, options: ConnectionsOptions) {
    this.#options = options;
    server.on('connection', (socket: Socket) => this.#add(socket));
  }

  /** Notes that a request has begun, until `end`. `undefined` where its connection is closed already. */
  begin(socket: Socket): Connection | undefined {
    const open = this.#open.get(nameOf(socket));
    if (!open) return undefined;
    open.requests += 1;
    this.#busy(open);
    return open;
  }

  end(connection: Connection): void {
    const open = connection as Open;
    open.requests -= 1;
    if (open.requests === 0 && this.#open.get(nameOf(open.socket)) === open) this.#rest(open);
  }

  destroyAll(): void {
    for (const { socket } of this.#open.values()) socket.destroy();
  }

  #add(socket: Socket): void {
    const from = this.#neighbours(networkOf(socket.remoteAddress ?? 'unknown'));
    const surplus = this.#makeRoom(from);
    if (surplus !== undefined && this.#surplus >= MAX_SURPLUS) {
      socket.destroy();
      return;
    }
    const [name, open] = [nameOf(socket), { socket, from, surplus, requests: 0 }];
    this.#open.set(name, open);
    if (surplus === undefined) from.count += 1;
    else this.#surplus += 1;
    this.#addresses.set(from.address, from);
    this.#rest(open);
    socket.once('close', () => this.#remove(name, open));
  }

  #remove(name: string, open: Open): void {
    if (this.#open.get(name) !== open) return;
    this.#open.delete(name);
    this.#busy(open);
    const { from, surplus } = open;
    if (surplus === undefined) from.count -= 1;
    else this.#surplus -= 1;
    if (from.count === 0) this.#addresses.delete(from.address);
  }

  #neighbours(address: string): Neighbours {
    return this.#addresses.get(address) ?? { address, count: 0, idle: new Set() };
  }

  #makeRoom(from: Neighbours): Connection['surplus'] {
    const { all, perAddress } = this.#options;
    if (perAddress !== undefined && from.count >= perAddress)
      return this.#closeIdle(from.idle) ? undefined : 'ofAddress';
    if (this.#open.size - this.#surplus < all) return undefined;
    return this.#closeIdle(this.#idle) ? undefined : 'ofAll';
  }

  /** Closes the one that has been idle for longest: its client opens another, as after any pause. */
  #closeIdle([longest]: Iterable<Open>): boolean {
    if (!longest) return false;
    this.#remove(nameOf(longest.socket), longest);
    longest.socket.destroy();
    return true;
  }

  #rest(open: Open): void {
    if (open.surplus !== undefined) return;
    this.#idle.add(open);
    open.from.idle.add(open);
  }

  #busy(open: Open): void {
    this.#idle.delete(open);
    open.from.idle.delete(open);
  }
}

/** The same for what TLS lies on, and no other's while it is open. */
const nameOf = ({ remoteAddress, remotePort, localAddress }: Socket) =>
  `${remoteAddress} ${remotePort} ${localAddress}`;
