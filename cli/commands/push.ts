import { setMaxListeners } from 'node:events';
import { constants } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { Failure, misuse, Unreachable } from '../failure.ts';
import { Output } from '../output.ts';
import { Authorization } from '../push/authorization.ts';
import { createDisplay, type Display } from '../push/display.ts';
import { dockerCredential } from '../push/docker-config.ts';
import type { Image } from '../push/image.ts';
import { openImage } from '../push/open-image.ts';
import { persist } from '../push/persistence.ts';
import { type Platform, platformValue } from '../push/platform.ts';
import { type Pushed, pushImage } from '../push/push-image.ts';
import { Repository } from '../push/repository.ts';
import { Scratch } from '../push/scratch.ts';
import { KINDS, openPlace, type Place, placeOf } from '../push/source.ts';
import { type Target, targetOf } from '../push/target.ts';
import { credentialFor, type GlobalOptions } from '../session.ts';
import { printable, sizeText } from '../text.ts';
import { trust } from '../trust.ts';
import { countValue } from '../values.ts';

const MOST_JOBS = 32;
const DEFAULT_JOBS = 4;

export function addPushCommand(program: Command): void {
  program
    .command('push <source> [reference]')
    .description('push an image, each layer in one request')
    .addOption(new Option('--from <kind>', 'what SOURCE is, where that is not clear').choices(KINDS))
    .option('--image <name>', 'which image, where an archive or layout has several')
    .option(
      '--platform <os/architecture>',
      'only the image for this platform, such as linux/arm64',
      platformValue,
    )
    .option('--jobs <number>', 'how many layers at a time', jobsValue, DEFAULT_JOBS)
    .option('-q, --quiet', 'say nothing but what went wrong')
    .addHelpText('after', SOURCES)
    .action(push);
}

const SOURCES = `
SOURCE is an image of docker's, an archive (of docker save, or an OCI archive; also with gzip or zstd), an OCI image
layout, or - for an archive on standard input. REFERENCE says what it will be called: team/app:1.2 at the registry you
are logged in to, or registry.example.com/team/app:1.2. Without it, an image of docker's keeps its name.`;

interface PushOptions extends GlobalOptions {
  readonly from?: (typeof KINDS)[number];
  readonly image?: string;
  readonly platform?: Platform;
  readonly jobs: number;
  readonly quiet?: boolean;
}

function jobsValue(text: string): number {
  const count = countValue(text);
  if (count <= MOST_JOBS) return count;
  throw new InvalidArgumentError(`It is at most ${MOST_JOBS}.`);
}

async function push(
  source: string,
  reference: string | undefined,
  _: unknown,
  command: Command,
): Promise<void> {
  const options = command.optsWithGlobals<PushOptions>();
  const place = await placeOf(source, options.from);
  const target = await targetOf(reference ?? nameOf(place), options);
  const scratch = new Scratch();
  const display = createDisplay(process.stderr, options.quiet ?? false);
  const run = interruptible();
  try {
    const repository = await open(target, options, run.signal);
    // Whoever is not let in hears of it before docker has read out its store.
    await enter(repository, display, run.signal);
    const image = await readImage(place, { scratch, display, signal: run.signal, options });
    if (image.remark !== undefined) display.say(image.remark);
    const pushed = await pushImage(image, {
      ...run,
      repository,
      tag: target.tag,
      jobs: options.jobs,
      display,
    });
    display.say(summaryOf(target, pushed));
    display.close();
    report(target, pushed, options);
  } catch (error) {
    // What was stopped fails in all kinds of ways; why it was stopped is what counts.
    throw run.signal.aborted ? run.signal.reason : error;
  } finally {
    display.close();
    run.end();
    await scratch.remove();
  }
}

/** What a busy registry refuses is asked again; one that cannot be reached may have another name. */
async function enter(repository: Repository, display: Display, signal: AbortSignal): Promise<void> {
  const attempt = () =>
    repository.enter().catch((error: unknown) => {
      throw error instanceof Unreachable ? new Failure(error.message) : error;
    });
  const onRetry = (reason: string, seconds: number) => display.say(`${reason}; trying again in ${seconds} s`);
  await persist(attempt, { signal, onRetry });
}

/** An image of docker's has a name to push it by; a file has none that can be relied on. */
function nameOf(place: Place): string {
  if (place.is === 'store') return place.image;
  throw misuse('what is it to be called there? stowage push SOURCE team/app:1.2');
}

interface Reading {
  readonly scratch: Scratch;
  readonly display: Display;
  readonly signal: AbortSignal;
  readonly options: PushOptions;
}

async function readImage(place: Place, { scratch, display, signal, options }: Reading): Promise<Image> {
  const { image: wanted, platform } = options;
  const line = place.is === 'path' ? undefined : display.line(placeText(place));
  line?.phase('reading');
  let count = 0;
  const onBytes = (bytes: number) => {
    count += bytes;
    line?.add(bytes);
  };
  try {
    const files = await openPlace(place, { scratch, signal, onBytes });
    line?.end(`read, ${sizeText(count)}`);
    const asked = place.is === 'store' ? place.image : undefined;
    return await openImage(files, scratch, { wanted, asked, platform });
  } catch (error) {
    if (!(error instanceof Failure) || place.is === 'store') throw error;
    throw new Failure(`${placeText(place)}: ${error.message}`, error.exitCode);
  }
}

function placeText(place: Place): string {
  switch (place.is) {
    case 'store':
      return `${place.program} save ${printable(place.image)}`;
    case 'standard input':
      return place.is;
    case 'path':
      return printable(place.path);
  }
}

async function open(
  { url, repository }: Target,
  options: PushOptions,
  signal: AbortSignal,
): Promise<Repository> {
  await trust(url, options.ca);
  const credential = (await credentialFor(url, options)) ?? (await dockerCredential(new URL(url).host));
  const scope = `repository:${repository}:pull,push`;
  const authorization = new Authorization({ url, scope, credential, signal });
  return new Repository({ url, name: repository, authorization, signal });
}

const nameIn = ({ url, repository }: Target) => `${new URL(url).host}/${repository}`;

function summaryOf(target: Target, { blobs, bytesSent }: Pushed): string {
  const { sent, present, mounted } = blobs;
  const counts = `${sent} blobs sent (${sizeText(bytesSent)}), ${present + mounted} there before`;
  return `pushed ${nameIn(target)}:${target.tag}: ${counts}`;
}

function report(target: Target, { manifest, blobs, bytesSent }: Pushed, options: PushOptions): void {
  const { url, repository, tag } = target;
  const { digest, mediaType } = manifest;
  const body = { registry: url, repository, tag, digest, mediaType, blobs, bytesSent };
  new Output(options).result(body, () => `${nameIn(target)}@${digest}\n`);
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Work that ends in order when somebody interrupts it; at once when they do it again. */
function interruptible() {
  const controller = new AbortController();
  const { signal } = controller;
  setMaxListeners(0, signal);
  const interrupt = (name: (typeof SIGNALS)[number]) => {
    const message = 'interrupted; what has been sent is kept, so the same command sends only the rest';
    controller.abort(new Failure(message, 128 + constants.signals[name]));
  };
  for (const name of SIGNALS) process.once(name, interrupt);
  return {
    signal,
    stop: (reason: unknown) => controller.abort(reason),
    end: () => {
      for (const name of SIGNALS) process.off(name, interrupt);
    },
  };
}
