import type { WriteStream } from 'node:tty';
import { printable, sizeText } from '../text.ts';

/** How one thing comes along. */
export interface Line {
  /** What is done now, and of how many bytes, where that is known. */
  phase(doing: string, size?: number): void;
  add(bytes: number): void;
  /** The same once more, from its start. */
  again(reason: string, seconds: number): void;
  end(fate: string): void;
}

/** What people see of work that takes its time. */
export interface Display {
  line(label: string): Line;
  say(message: string): void;
  /** Leaves the terminal as it should be, whatever came of the work. */
  close(): void;
}

/** Bars that move on a terminal, a line for each thing that is done elsewhere, or nothing. */
export function createDisplay(stream: WriteStream, isQuiet: boolean): Display {
  if (isQuiet) return { line: () => SILENT, say() {}, close() {} };
  return stream.isTTY ? new Bars(stream) : new Lines(stream);
}

const SILENT: Line = { phase() {}, add() {}, again() {}, end() {} };

const againText = (label: string, reason: string, seconds: number) =>
  `${printable(label)}: ${reason}; trying again in ${seconds} s\n`;

const endText = (label: string, fate: string) => `${printable(label)}: ${fate}\n`;

class Lines implements Display {
  readonly #stream: NodeJS.WritableStream;

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream;
  }

  line(label: string): Line {
    const write = (text: string) => void this.#stream.write(text);
    return {
      ...SILENT,
      again: (reason, seconds) => write(againText(label, reason, seconds)),
      end: (fate) => write(endText(label, fate)),
    };
  }

  say(message: string): void {
    this.#stream.write(`${message}\n`);
  }

  close(): void {
    // Nothing is left open.
  }
}

const FRAME_MS = 100;
const BAR_CELLS = 24;

interface State {
  readonly label: string;
  doing: string;
  size: number | undefined;
  done: number;
}

/** What is done stays above; what is not moves below. */
class Bars implements Display {
  readonly #stream: WriteStream;
  readonly #active = new Set<State>();
  readonly #timer: NodeJS.Timeout;
  #above = '';
  #drawn = 0;

  constructor(stream: WriteStream) {
    this.#stream = stream;
    this.#timer = setInterval(() => this.#draw(), FRAME_MS);
    this.#timer.unref();
  }

  line(label: string): Line {
    const state: State = { label, doing: 'waiting', size: undefined, done: 0 };
    this.#active.add(state);
    return {
      phase: (doing, size) => void Object.assign(state, { doing, size, done: 0 }),
      add: (bytes) => {
        state.done += bytes;
      },
      again: (reason, seconds) => {
        this.#above += againText(label, reason, seconds);
        Object.assign(state, { doing: 'waiting', done: 0 });
      },
      end: (fate) => {
        this.#active.delete(state);
        this.#above += endText(label, fate);
      },
    };
  }

  say(message: string): void {
    this.#above += `${message}\n`;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#active.clear();
    this.#draw();
  }

  #draw(): void {
    // A terminal that does not know its size says 0.
    const [columns, rows] = [this.#stream.columns || 80, this.#stream.rows || 24];
    const bars = [...this.#active].slice(0, rows - 1).map((state) => barText(state).slice(0, columns - 1));
    if (this.#above === '' && bars.length === 0 && this.#drawn === 0) return;
    const back = this.#drawn > 0 ? `\u001b[${this.#drawn}A\r` : '';
    this.#stream.write(`${back}\u001b[J${this.#above}${bars.map((bar) => `${bar}\n`).join('')}`);
    this.#above = '';
    this.#drawn = bars.length;
  }
}

function barText({ label, doing, size, done }: State): string {
  const start = `${printable(label)}  ${doing.padEnd(8)}`;
  if (size === undefined) return done === 0 ? start : `${start}  ${sizeText(done)}`;
  const full = size === 0 ? BAR_CELLS : Math.floor((Math.min(done, size) / size) * BAR_CELLS);
  return `${start}  [${'='.repeat(full).padEnd(BAR_CELLS)}]  ${sizeText(done)} of ${sizeText(size)}`;
}
