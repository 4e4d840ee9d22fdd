import { setTimeout } from 'node:timers/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { Api } from '../api.ts';
import { Deployment, freshRepository } from '../doctor/deployment.ts';
import { type Choice, examine } from '../doctor/examine.ts';
import { PROBE_NAMES, PROBES } from '../doctor/probes.ts';
import { closingText, countVerdicts, probeText, type Report } from '../doctor/report.ts';
import { summarize } from '../doctor/summary.ts';
import { DIRECT_BYTES } from '../doctor/uploads.ts';
import { Failure, misuse } from '../failure.ts';
import type { Credential } from '../log-in.ts';
import { Output } from '../output.ts';
import { secretOfStdin } from '../prompt.ts';
import { credentialFor, type GlobalOptions, registryOf } from '../session.ts';
import { trust } from '../trust.ts';
import { countValue, many, registryUrl, repositoryValue } from '../values.ts';

const INTERRUPTED = 130;
const MAX_BYTES = 2048 * 1024 * 1024;
const PATIENCE_SECONDS = 60;

export function addDoctorCommand(program: Command): void {
  program
    .command('doctor [url]')
    .description('probe a registry as it is deployed: what works, for which clients, and what to do')
    .addOption(probeOption('--only <name>', 'run this probe only (repeatable)'))
    .addOption(probeOption('--skip <name>', 'leave this probe out (repeatable)'))
    .option('--quick', 'leave out the blobs of 200 MB and 2 GB')
    .option('--largest <size>', 'send no larger blob, such as 16MB (default: 2GB)', sizeValue)
    .option(
      '--repository <name>',
      'push there, and leave it (default: a fresh one, deleted at the end)',
      repositoryValue,
    )
    .option('--origin <url>', 'the API endpoint behind the front door, to see that it is closed', originValue)
    .option('--patience <seconds>', 'how long an event may take (default: 60)', countValue)
    .option('-u, --username <name>', 'log in as this user or robot/NAME (default: the saved login)')
    .option('--password-stdin', 'take the password from standard input')
    .addHelpText(
      'after',
      '\nEnds with 0 where no probe failed, with 1 where one did. docs/doctor.md describes each.',
    )
    .action(doctor);
}

/** One of several probes; the choices are for the completion as well. */
function probeOption(flags: string, description: string): Option {
  const option = new Option(flags, description).argParser(many(probeName));
  option.argChoices = [...PROBE_NAMES];
  return option;
}

function probeName(text: string): string {
  if (PROBE_NAMES.includes(text)) return text;
  throw new InvalidArgumentError(`There are: ${PROBE_NAMES.join(', ')}.`);
}

const UNITS = { MB: 1024 ** 2, GB: 1024 ** 3 } as const;

function sizeValue(text: string): number {
  const [, amount, unit] = /^(\d{1,4})(MB|GB)$/.exec(text) ?? [];
  const bytes = Number(amount) * UNITS[(unit ?? 'MB') as keyof typeof UNITS];
  if (bytes >= DIRECT_BYTES && bytes <= MAX_BYTES) return bytes;
  throw new InvalidArgumentError("It is a size from 5MB to 2GB, such as '16MB'.");
}

function originValue(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw new InvalidArgumentError(
    "It is a URL, such as 'https://abc123.execute-api.eu-central-1.amazonaws.com'.",
  );
}

interface DoctorOptions extends GlobalOptions, Choice {
  readonly largest?: number;
  readonly repository?: string;
  readonly origin?: string;
  readonly patience?: number;
  readonly username?: string;
  readonly passwordStdin?: boolean;
}

async function doctor(given: string | undefined, _: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<DoctorOptions>();
  const url = given === undefined ? await registryOf(options) : registryUrl(given);
  await trust(url, options.ca);
  const credential = await credentialOf(url, options);
  const interruption = new AbortController();
  process.once('SIGINT', () => interruption.abort());
  const deployment = new Deployment({
    url,
    credential,
    repository: options.repository ?? freshRepository(),
    largest: options.largest ?? MAX_BYTES,
    patienceMs: (options.patience ?? PATIENCE_SECONDS) * 1000,
    origin: options.origin,
    signal: interruption.signal,
  });
  const report = await examineAll(deployment, options);
  if (options.json) new Output(options).result(report, () => '');
  else process.stdout.write(closingText(report));
  if (interruption.signal.aborted) throw new Failure('interrupted', INTERRUPTED);
  if (!report.passed) process.exitCode = 1;
}

async function credentialOf(url: string, options: DoctorOptions): Promise<Credential | undefined> {
  const { username, passwordStdin } = options;
  if (!passwordStdin && username === undefined) return credentialFor(url);
  if (!passwordStdin || username === undefined) {
    throw misuse('--username and --password-stdin go together');
  }
  return { is: 'password', username, password: await secretOfStdin() };
}

async function examineAll(deployment: Deployment, options: DoctorOptions): Promise<Report> {
  const startedAt = new Date();
  const probes = await examine(deployment, PROBES, options, (examined) => {
    if (!options.json) process.stdout.write(probeText(examined));
  });
  const repository = await cleanUp(deployment, options);
  return {
    version: 1,
    registry: deployment.url.origin,
    startedAt: startedAt.toISOString(),
    seconds: Math.round((Date.now() - startedAt.getTime()) / 1000),
    passed: probes.every(({ verdict }) => verdict !== 'failed'),
    counts: countVerdicts(probes),
    probes,
    clients: summarize(deployment.attempts, probes),
    repository,
  };
}

/** Deletes the repository of the probes, where it is theirs alone and the login may. */
async function cleanUp(deployment: Deployment, { repository }: DoctorOptions): Promise<Report['repository']> {
  const { repository: name, options, url } = deployment;
  if (repository !== undefined) return { name, state: 'left', says: `what was pushed stays in ${name}` };
  try {
    const api = new Api(url.origin, options.credential);
    for (;;) {
      const { status, headers } = await api.delete(`/repositories/${name}`);
      if (status !== 202) return { name, state: 'deleted', says: `${name} is deleted again` };
      await setTimeout(Number(headers.get('retry-after') ?? 0) * 1000);
    }
  } catch (error) {
    if (!deployment.hasPushed) return { name, state: 'never made', says: 'nothing was pushed' };
    const says = `what was pushed stays in ${name}, which could not be deleted: ${(error as Error).message}`;
    return { name, state: 'left', says };
  }
}
