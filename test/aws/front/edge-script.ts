import { createContext, Script } from 'node:vm';
import { COMMON, GLOBALS, MEMBERS } from './edge-builtins.ts';
import { EdgeFunctionError } from './edge-error.ts';
import { BUFFER, type CloudFrontModule, modulesOf } from './edge-modules.ts';

/** CloudFront's "10 KB", in the stricter of its two readings. */
const MAX_CODE_BYTES = 10_000;

/** Ours, far above what CloudFront allows; ends a loop that would not. */
const TIMEOUT_MS = 2000;

const IMPORT = /^import ([A-Za-z]\w*) from '([^']*)';$/gm;

/** One run of a function: its event, and what it imports from CloudFront. */
export interface EdgeRun extends Omit<CloudFrontModule, 'parse'> {
  readonly event: unknown;
  /** Milliseconds since 1970. */
  readonly now: number;
}

interface World {
  readonly context: object;
  readonly parse: (text: string) => unknown;
  readonly dateOf: (now: number) => unknown;
}

type Instantiate = (require: (name: unknown) => object, date: unknown) => unknown;

/** A function. Each run has its own variables, as at CloudFront; what is built in cannot be changed, so that
 *  nothing is left of the run before. */
export class EdgeScript {
  readonly #name: string;
  readonly #world: World;
  readonly #instantiate: Instantiate;

  private constructor(name: string, world: World, instantiate: Instantiate) {
    this.#name = name;
    this.#world = world;
    this.#instantiate = instantiate;
  }

  /** Fails where CloudFront would not take the code. */
  static load(name: string, code: string): EdgeScript {
    const bytes = Buffer.byteLength(code);
    if (bytes > MAX_CODE_BYTES) throw new Error(`${name} has ${bytes} bytes, over ${MAX_CODE_BYTES}`);
    const body = code.replace(IMPORT, (_, local, module) => `const ${local} = require('${module}');`);
    const wrapped = `(function (require, Date) {'use strict';${body}\n;return handler;})`;
    const world = newWorld();
    const script = new Script(wrapped, { filename: name });
    const loaded = new EdgeScript(name, world, script.runInContext(world.context) as Instantiate);
    loaded.#handler({ event: {}, now: 0, kvs: async () => undefined, select: () => undefined });
    return loaded;
  }

  /** What the function answers, as JSON of this world. Throws what CloudFront would answer 503 for. */
  async run(run: EdgeRun): Promise<unknown> {
    try {
      const { context, parse } = this.#world;
      const call = () => this.#handler(run)(parse(JSON.stringify(run.event)));
      const result: unknown = await CALL.runInContext(Object.assign(context, { call }), {
        timeout: TIMEOUT_MS,
      });
      return JSON.parse(JSON.stringify(result) ?? 'null');
    } catch (error) {
      // Errors of a function's world are none of this one.
      const message = (error as { message?: unknown } | null)?.message ?? error;
      const why = `FunctionExecutionError in ${this.#name}: ${message}`;
      throw new EdgeFunctionError(503, why, { cause: error });
    }
  }

  #handler({ kvs, select, now }: EdgeRun): (event: unknown) => unknown {
    const { parse, dateOf } = this.#world;
    const modules = modulesOf({ kvs, select, parse });
    const require = (name: unknown) => {
      const found = modules.get(`${name}`);
      if (!found) throw new Error(`there is no module ${name}`);
      return found;
    };
    const handler = this.#instantiate(require, dateOf(now));
    if (typeof handler !== 'function') throw new Error(`${this.#name} has no function named handler`);
    return handler as (event: unknown) => unknown;
  }
}

/** A script can be stopped, which a call cannot. */
const CALL = new Script('call()');

/** Takes away what CloudFront's runtime lacks, and makes the rest unchangeable. */
const PREPARATION = new Script(`(({ GLOBALS, MEMBERS, COMMON }) => {
  const RealDate = Date;
  const names = Object.getOwnPropertyNames;
  const objectAt = (path) => path.split('.').reduce((object, name) => object[name], globalThis);
  for (const path of names(MEMBERS)) {
    const object = objectAt(path);
    const known = MEMBERS[path];
    for (const name of names(object)) if (!known.includes(name) && !COMMON.includes(name)) delete object[name];
  }
  for (const name of names(globalThis)) if (!GLOBALS.includes(name)) delete globalThis[name];
  for (const value of Object.values(Object.getOwnPropertyDescriptors(globalThis)).map((one) => one.value)) {
    if (value === globalThis || (typeof value !== 'object' && typeof value !== 'function')) continue;
    Object.freeze(value);
    if (value.prototype) Object.freeze(value.prototype);
  }
  const dateOf = (now) => {
    function FixedDate(...given) {
      if (!new.target) return new RealDate(now).toString();
      return given.length === 0 ? new RealDate(now) : new RealDate(...given);
    }
    FixedDate.prototype = RealDate.prototype;
    return Object.freeze(Object.assign(FixedDate, { now: () => now, parse: RealDate.parse, UTC: RealDate.UTC }));
  };
  return { parse: JSON.parse, dateOf };
})`);

function newWorld(): World {
  const context = createContext({}, { codeGeneration: { strings: false, wasm: false } });
  const prepare = PREPARATION.runInContext(context) as (given: object) => Omit<World, 'context'>;
  const prepared = prepare({ GLOBALS, MEMBERS, COMMON });
  const btoa = (text: string) => Buffer.from(text, 'latin1').toString('base64');
  const atob = (text: string) => Buffer.from(text, 'base64').toString('latin1');
  const console = Object.freeze({ log: (_text: unknown) => undefined });
  return { context: Object.assign(context, { Buffer: BUFFER, atob, btoa, console }), ...prepared };
}
