import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { text as readAll } from 'node:stream/consumers';
import { Failure, misuse } from './failure.ts';

const INTERRUPTED = 130;

/** Asks on the terminal; `advice` says what to do where there is none. */
export function ask(question: string, advice: string): Promise<string> {
  return answerTo(question, { advice, isShown: true });
}

/** Asks without showing what is typed. */
export function askSecret(question: string, advice: string): Promise<string> {
  return answerTo(question, { advice, isShown: false });
}

/** A new password, typed twice. */
export async function askNewPassword(advice: string): Promise<string> {
  const password = await askSecret('New password: ', advice);
  if ((await askSecret('Once more: ', advice)) !== password) throw new Failure('the two are not the same');
  return password;
}

/** The lines of standard input: secrets that another program hands over. */
export async function linesOfStdin(): Promise<readonly string[]> {
  return (await readAll(process.stdin)).replace(/\r?\n$/, '').split(/\r?\n/);
}

export async function secretOfStdin(): Promise<string> {
  const lines = await linesOfStdin();
  const [secret = ''] = lines;
  if (secret === '' || lines.length > 1) throw misuse('standard input is not one line with the password');
  return secret;
}

interface Asking {
  readonly advice: string;
  readonly isShown: boolean;
}

/** The terminal stops showing what is typed before it shows the question. */
function answerTo(question: string, { advice, isShown }: Asking): Promise<string> {
  if (!process.stdin.isTTY) throw misuse(advice);
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() });
  const output = isShown ? process.stderr : unseen;
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  return new Promise<string>((resolve, reject) => {
    lines.on('close', () => reject(new Failure('interrupted', INTERRUPTED)));
    lines.on('SIGINT', () => lines.close());
    if (!isShown) process.stderr.write(question);
    lines.question(isShown ? question : '', (answer) => {
      resolve(answer);
      lines.close();
    });
  }).finally(() => {
    if (!isShown) process.stderr.write('\n');
  });
}
