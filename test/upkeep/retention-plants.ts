import {
  type Attributes,
  type Item,
  keyOf,
  type Operation,
  type Table,
} from '../../functions/storage/table.ts';
import { RetentionRules } from '../../functions/upkeep/retention-rules.ts';
import type { TagFacts } from '../../functions/upkeep/rule-facts.ts';
import { DAY } from './retention-life.ts';
import type { Plant } from './retention-lived.ts';

// Mistakes that somebody could make in retention, each as if the code had made it.

/** What is written of the items whose sort keys begin so. */
const writes = (prefix: string, change: (attributes: Attributes) => Attributes): Plant => ({
  write: (operations) =>
    operations.map((operation): Operation => {
      if (!keyOf(operation).sort.startsWith(prefix)) return operation;
      if ('put' in operation) return { ...operation, attributes: change(operation.attributes) };
      if ('update' in operation && operation.set) return { ...operation, set: change(operation.set) };
      return operation;
    }),
});

/** What is read of them; nothing where it is `undefined`. */
function reads(prefix: string, change: (attributes: Attributes) => Attributes | undefined): Plant {
  const as = (sort: string, found: Attributes | undefined) =>
    found && sort.startsWith(prefix) ? change(found) : found;
  return {
    read: (table): Partial<Table> => ({
      get: async (key) => as(key.sort, await table.get(key)),
      getMany: async (keys) =>
        (await table.getMany(keys)).map((found, index) => as(keys[index]?.sort ?? '', found)),
      query: async (query) =>
        (await table.query(query)).flatMap((item): Item[] => {
          const attributes = query.keysOnly ? item.attributes : as(item.key.sort, item.attributes);
          return attributes ? [{ ...item, attributes }] : [];
        }),
    }),
  };
}

const without =
  (...names: string[]) =>
  (attributes: Attributes): Attributes =>
    Object.fromEntries(Object.entries(attributes).filter(([name]) => !names.includes(name)));

type Method = 'judge' | 'observe' | 'stands';

/** The rules, one of whose methods sees other facts. */
function rules<M extends Method>(method: M, see: (facts: TagFacts, own: RetentionRules) => TagFacts): Plant {
  const right = RetentionRules.prototype[method] as (this: RetentionRules, facts: TagFacts) => unknown;
  const wrong = function (this: RetentionRules, facts: TagFacts) {
    return right.call(this, see(facts, this));
  };
  return {
    patch: () => {
      Object.assign(RetentionRules.prototype, { [method]: wrong });
      return () => void Object.assign(RetentionRules.prototype, { [method]: right });
    },
  };
}

/** What a rule keeps since it was put there of late, is asked for its pulls alone. */
const neverPulledGoes: Plant = {
  patch: () => {
    const right = RetentionRules.prototype.judge;
    RetentionRules.prototype.judge = function (this: RetentionRules, facts) {
      const verdict = right.call(this, facts);
      const isYoung = 'keeps' in verdict && verdict.reason.startsWith('put there within');
      return isYoung ? right.call(this, { ...facts, taggedAt: 0 }) : verdict;
    };
    return () => {
      RetentionRules.prototype.judge = right;
    };
  },
};

const isRest = ({ rests, sweepDue }: Attributes) => Number(rests) > 0 && Number(sweepDue) > Number(rests);

/** As the disturbance of a repository does, and no sweep. */
const disturbs = (operation: Operation) =>
  'update' in operation && operation.set?.['rests'] === 0 && operation.when?.length === 2;

const isCompanion = ({ tag }: Pick<TagFacts, 'tag'>) => tag.startsWith('sha256-');

export const PLANTS: Readonly<Record<string, () => Plant>> = {
  'a restored tag is as old as its restore (G1)': () => writes('T#', without('datesFrom')),
  'a restored tag is not held (G1)': () => rules('stands', ({ restoredAt: _, ...facts }) => facts),
  'a restored manifest is not held (G1)': () => writes('M#', without('restoredAt')),
  'what was never pulled is as old as can be (G3)': () => neverPulledGoes,
  'pulls by digest do not count (G4)': () => reads('P#sha256:', () => undefined),
  'pins do not pin what is named after a digest (G9)': () =>
    rules('stands', (facts) => (isCompanion(facts) ? { ...facts, tag: '-' as TagFacts['tag'] } : facts)),
  'the loss of a tag has no time (G11)': () =>
    writes('I#', (set) => ('left' in set ? { ...set, left: 0 } : set)),
  'a push by digest renews nothing (G11)': () => writes('M#', without('pushedLastAt')),
  'the loss of an owner is not looked up (G11)': () => reads('G#', (grave) => ({ ...grave, deletedAt: 0 })),
  'pins and held tags take places (G14)': () =>
    rules('observe', ({ isHeld: _, restoredAt: __, ...facts }) => facts),
  'holds are not read': () => reads('O#', () => undefined),
  'who changes something disturbs nobody': () => ({
    write: (operations) => (operations.some(disturbs) ? [] : operations),
  }),
  'a repository rests whatever its things say': () =>
    writes('#', (set) => (isRest(set) ? { ...set, sweepDue: (set['rests'] as number) + 45 * DAY } : set)),
  'nobody looks when something was touched': () => reads('M#', (found) => ({ ...found, touched: -9 })),
};
