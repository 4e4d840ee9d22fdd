import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Environment } from '../command.ts';
import type { ErrandOptions } from '../errands/errand.ts';
import { whyAbsent } from '../go-tools.ts';
import { NAME } from '../named-registry.ts';
import { type Block, blocksOf } from './blocks.ts';
import { javaTrust } from './java.ts';
import { PageDaemons } from './page-daemons.ts';
import { PARTS, type Part } from './parts.ts';
import { Visit } from './visit.ts';

const PROJECT = join(import.meta.dirname, '../../..');

/** Runs the commands of docs/clients.md, part by part. */
export async function runPage(options: ErrandOptions): Promise<void> {
  const blocks = blocksOf(await readFile(join(PROJECT, 'docs/clients.md'), 'utf8'));
  const page = await Page.open(options);
  try {
    for (const part of PARTS) await page.check(part, blocks);
  } finally {
    await page.close();
  }
}

class Page {
  readonly #options: ErrandOptions;
  readonly #path: string;
  readonly #daemons: PageDaemons;
  #secret = '';

  private constructor(options: ErrandOptions, path: string) {
    this.#options = options;
    this.#path = path;
    this.#daemons = new PageDaemons(options.named, options.directory, path);
  }

  /** Has `stowage` on the PATH, as `npm link` would. */
  static async open(options: ErrandOptions): Promise<Page> {
    const programs = join(options.directory, 'programs');
    await mkdir(programs, { recursive: true });
    const file = join(programs, 'stowage');
    await writeFile(file, `#!/bin/sh\nexec "${process.execPath}" "${PROJECT}/cli/main.ts" "$@"\n`);
    await chmod(file, 0o755);
    return new Page(options, `${programs}:${options.path}`);
  }

  async check(part: Part, blocks: readonly Block[]): Promise<void> {
    const { report, tools, isModern, isRequired } = this.#options;
    if (part.isModern && !isModern) return report.skip('page', part.name, 'only with --modern');
    const absent = await whyAbsent(part.programs, this.#path, tools);
    if (absent !== undefined && isRequired('page')) return report.fail('page', part.name, absent);
    if (absent !== undefined) return report.skip('page', part.name, absent);
    const own = blocks.filter((block) => block.part === part.name);
    await report.check('page', part.name, () => this.#run(part, own));
  }

  async close(): Promise<void> {
    await this.#daemons.stop();
  }

  async #run(part: Part, blocks: readonly Block[]): Promise<void> {
    const { named, images } = this.#options;
    const directory = join(this.#options.directory, part.name.toLowerCase().replaceAll(/\W+/g, '-'));
    await mkdir(directory);
    const sockets = part.daemon ? await this.#daemons.started(part.daemon) : {};
    const java = part.isJava ? await javaTrust(directory, named.certificate) : {};
    const env = { ...this.#login(), ...sockets, ...java, SECRET: this.#secret };
    const visit = await Visit.begin(directory, { named, images, path: this.#path, env });
    for (const { is, path, text } of blocks) if (is === 'file') await visit.write(path, text);
    if (part.pushes) await visit.registry.removeTag(...part.pushes);
    const commands = blocks.filter(({ is }) => is === 'commands').map(({ text }) => text);
    const printed = await visit.script(
      `${commands.join('')}${part.makesSecret ? 'printf %s "$SECRET"' : ''}`,
    );
    if (part.makesSecret) this.#secret = printed;
    if (part.pushes) await visit.registry.verify(...part.pushes);
    await part.after?.(visit);
  }

  /** Before there is a robot, the page is read by the admin. */
  #login(): Environment {
    if (this.#secret !== '') return {};
    const { username, password } = this.#options.named.admin;
    return { STOWAGE_REGISTRY: `https://${NAME}`, STOWAGE_USERNAME: username, STOWAGE_TOKEN: password };
  }
}
