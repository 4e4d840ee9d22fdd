import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { tooManyLoginsAtOnce } from '../oci/host-errors.ts';
import { FairQueue } from './fair-queue.ts';

/** One of the settings that OWASP lists as equally strong: 32 MiB a login.
 *  https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#scrypt */
const COST = { ln: 15, r: 8, p: 3 };
const HASH_BYTES = 32;
const SALT_BYTES = 16;

/** Ours: passwords derived at once in a process, two of its four threads. The others read and write files: a flood of
 *  logins must not stop downloads, nor take more memory than this. */
const AT_ONCE = 2;

/** Ours: who has to wait longer, about five seconds, is told to come again. */
const MAX_WAITING = 50;

/** Verified where there is no user, so that it takes as long; nothing hashes to it. */
const NOBODYS = encode(COST, Buffer.alloc(SALT_BYTES), Buffer.alloc(HASH_BYTES));

type Cost = typeof COST;

/** The scrypt hash of a password, with its parameters and a fresh salt, in PHC string format. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  return encode(COST, salt, await derive(password, salt, COST, ''));
}

/** Whether the password has this hash. Without one the answer is no, and takes as long. Networks (`networkOf`) have their turns. */
export async function verifyPassword(
  password: string,
  hash: string | undefined,
  network: string,
): Promise<boolean> {
  const { cost, salt, expected } = decode(hash ?? NOBODYS);
  const same = timingSafeEqual(await derive(password, salt, cost, network), expected);
  return same && hash !== undefined;
}

function encode({ ln, r, p }: Cost, salt: Buffer, hash: Buffer): string {
  return `$scrypt$ln=${ln},r=${r},p=${p}$${salt.toString('base64url')}$${hash.toString('base64url')}`;
}

function decode(text: string): { cost: Cost; salt: Buffer; expected: Buffer } {
  const match = /^\$scrypt\$ln=(\d+),r=(\d+),p=(\d+)\$([\w-]+)\$([\w-]+)$/.exec(text);
  if (!match) throw new Error('a stored password hash is not readable');
  const [, ln, r, p, salt = '', hash = ''] = match;
  return {
    cost: { ln: Number(ln), r: Number(r), p: Number(p) },
    salt: Buffer.from(salt, 'base64url'),
    expected: Buffer.from(hash, 'base64url'),
  };
}

const queue = new FairQueue({ atOnce: AT_ONCE, mostWaiting: MAX_WAITING });

const derive = (password: string, salt: Buffer, cost: Cost, network: string) =>
  queue.do(network, () => deriveNow(password, salt, cost), tooManyLoginsAtOnce);

function deriveNow(password: string, salt: Buffer, { ln, r, p }: Cost): Promise<Buffer> {
  const options: ScryptOptions = { N: 2 ** ln, r, p, maxmem: 256 * r * 2 ** ln };
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), salt, HASH_BYTES, options, (error, key) => {
      if (error) reject(error);
      else resolve(key);
    });
  });
}
