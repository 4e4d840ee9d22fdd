import type { World } from './world.ts';

/** One call of the store: nobody comes between what `run` reads and writes. */
export interface Step {
  /** Which items it is about, such as `read B#`; what the real code does is compared with it. */
  readonly call: string;
  /** For people. */
  readonly says: string;
  /** Numbers that the actor goes on with; `[0]` of a write that has failed. */
  readonly run: (world: World) => readonly number[];
}

/** What an actor does next, or that it ends; `violation` says what must never happen. */
export type Next =
  | 'end'
  | { readonly phase: Phase; readonly args: readonly number[] }
  | { readonly violation: string };

/** Steps, and what comes of them. */
export type Part<T> = Generator<Step, T, readonly number[]>;

/** A part of a program that depends on nothing but its arguments and on what its steps answer. */
export type Phase = (...args: number[]) => Part<Next>;

/** A program that runs beside others. */
export interface Actor {
  readonly name: string;
  readonly start: Next;
}

/** The same program several times. */
export const twins = ({ name, start }: Actor, count: number): Actor[] =>
  [...'ABCDEF'.slice(0, count)].map((letter) => ({ name: `${name} ${letter}`, start }));

export const go = (phase: Phase, ...args: number[]): Next => ({ phase, args });

/** What to look for. */
export interface Model {
  readonly world: World;
  readonly actors: readonly Actor[];
  /** Asked of every table there can be. That actors crash needs no step of its own: who crashes is never asked to go
   *  on, and whatever others do then, they also do while it is only slow. */
  readonly check: (world: World) => string | undefined;
}

/** One line of a timeline. */
export interface Line {
  readonly actor: string;
  readonly says: string;
  readonly failed: boolean;
}

export interface Outcome {
  readonly states: number;
  readonly violation?: string;
  /** A shortest way to the violation. */
  readonly timeline: readonly Line[];
}

/** Where an actor stands: what it does next, and what follows for each answer. */
interface Position {
  readonly id: number;
  readonly step: Step | undefined;
  readonly violation: string | undefined;
  readonly key: string;
  readonly phase: Phase | undefined;
  readonly args: readonly number[];
  readonly answers: readonly (readonly number[])[];
  readonly after: Map<string, Position>;
}

/** Positions are made once each, so that programs run once for each of them and not once for each state. */
class Positions {
  readonly #all = new Map<string, Position>();
  readonly #phases = new Map<Phase, number>();

  begin(next: Next): Position {
    if (next === 'end') return this.#intern('end', { step: undefined, violation: undefined });
    if ('violation' in next) {
      return this.#intern(`!${next.violation}`, { step: undefined, violation: next.violation });
    }
    return this.#at(next.phase, next.args, []);
  }

  next({ phase, args, answers, after }: Position, answer: readonly number[]): Position {
    const text = answer.join();
    const known = after.get(text);
    if (known) return known;
    if (!phase) throw new Error('an actor that has ended goes on');
    const position = this.#at(phase, args, [...answers, answer]);
    after.set(text, position);
    return position;
  }

  #at(phase: Phase, args: readonly number[], answers: Position['answers']): Position {
    const part = phase(...args);
    let result = part.next();
    for (const answer of answers) result = part.next(answer);
    if (result.done) return this.begin(result.value);
    const id = this.#phases.get(phase) ?? this.#phases.size;
    this.#phases.set(phase, id);
    const key = `${id}(${args})${answers.map((answer) => answer.join()).join(';')}/${answers.length}`;
    return this.#intern(key, { step: result.value, violation: undefined, phase, args, answers });
  }

  #intern(
    key: string,
    position: Pick<Position, 'step' | 'violation'> & Partial<Pick<Position, 'phase' | 'args' | 'answers'>>,
  ): Position {
    const known = this.#all.get(key);
    if (known) return known;
    const id = this.#all.size;
    const made = { phase: undefined, args: [], answers: [], ...position, id, key, after: new Map() };
    this.#all.set(key, made);
    return made;
  }
}

interface State {
  readonly world: World;
  readonly positions: readonly Position[];
}

/** Every order in which the steps of all actors can follow each other, the shortest first, until something is wrong. */
export function explore({ world, actors, check }: Model): Outcome {
  const positions = new Positions();
  const checked = new Map<string, string | undefined>();
  const seen = new Set<string>();
  const groups = twinsAmong(actors);
  const [parents, movers]: [number[], number[]] = [[], []];
  const first = { world, positions: actors.map(({ start }) => positions.begin(start)) };
  let [frontier, ids]: [State[], number[]] = [[], []];
  const add = (state: State, parent: number, mover: number): string | undefined => {
    const text = state.world.text;
    const key = text + keyOf(state.positions, groups);
    if (seen.has(key)) return undefined;
    seen.add(key);
    ids.push(parents.length);
    parents.push(parent);
    movers.push(mover);
    frontier.push(state);
    if (!checked.has(text)) checked.set(text, check(state.world));
    return state.positions[mover]?.violation ?? checked.get(text);
  };
  let violation = add(first, -1, 0);
  while (!violation && frontier.length > 0) {
    const [states, numbers] = [frontier, ids];
    [frontier, ids] = [[], []];
    violation = advanceAll(positions, states, (state, index, mover) =>
      add(state, numbers[index] ?? -1, mover),
    );
  }
  const timeline = violation ? replay(positions, first, actors, path(parents, movers)) : [];
  return { states: seen.size, timeline, ...(violation && { violation }) };
}

/** Groups of actors that run the same program: which of them stands where makes no difference. */
function twinsAmong(actors: readonly Actor[]): readonly (readonly number[])[] {
  const indexes = [...actors.keys()];
  const programs = new Set(actors.map(({ start }) => start));
  return [...programs].map((program) => indexes.filter((index) => actors[index]?.start === program));
}

function keyOf(positions: readonly Position[], groups: readonly (readonly number[])[]): string {
  let key = '';
  for (const group of groups) {
    const ids = group.map((index) => positions[index]?.id ?? 0);
    if (ids.length > 1) ids.sort((a, b) => a - b);
    for (const id of ids) key += String.fromCharCode(id >> 12, id & 0xfff);
  }
  return key;
}

function advanceAll(
  positions: Positions,
  states: readonly State[],
  add: (state: State, index: number, mover: number) => string | undefined,
): string | undefined {
  for (const [index, state] of states.entries()) {
    for (const [mover, position] of state.positions.entries()) {
      if (!position.step) continue;
      const world = state.world.copy();
      const next = positions.next(position, position.step.run(world));
      const violation = add({ world, positions: state.positions.with(mover, next) }, index, mover);
      if (violation) return violation;
    }
  }
  return undefined;
}

/** Who moved, from the beginning to the state that was added last. */
function path(parents: readonly number[], movers: readonly number[]): number[] {
  const moved: number[] = [];
  for (let state = parents.length - 1; state > 0; state = parents[state] ?? 0) moved.push(movers[state] ?? 0);
  return moved.reverse();
}

function replay(
  positions: Positions,
  first: State,
  actors: readonly Actor[],
  moved: readonly number[],
): Line[] {
  const world = first.world.copy();
  const at = [...first.positions];
  return moved.flatMap((mover) => {
    const position = at[mover];
    if (!position?.step) return [];
    const answer = position.step.run(world);
    at[mover] = positions.next(position, answer);
    const failed = position.step.call.startsWith('write') && answer[0] === 0;
    return [{ actor: actors[mover]?.name ?? '', says: position.step.says, failed }];
  });
}

/** Lets one actor go to its end, alone. Answers the calls it made. */
export function runAlone(world: World, { start }: Actor): readonly string[] {
  const positions = new Positions();
  const calls: string[] = [];
  for (let at = positions.begin(start); at.step; ) {
    calls.push(at.step.call);
    at = positions.next(at, at.step.run(world));
  }
  return calls;
}
