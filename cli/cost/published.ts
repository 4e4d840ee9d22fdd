import { billFor } from './bill.ts';
import type { Prices } from './prices.ts';
import { ecrQuantities, quantitiesOf, type Workload } from './quantities.ts';

/** A month of somebody, as docs/cost.md publishes it. */
export interface Published {
  readonly name: string;
  readonly workload: Workload;
  /** People and robots that log in, where a registry bills by the head. */
  readonly seats: number;
  readonly isPublic: boolean;
}

const USUAL = {
  layers: 10,
  newLayers: 3,
  layerMb: 20,
  streamHost: 'none',
  downloads: 's3',
  pushBy: 'docker',
  lambdaMs: 50,
} as const;

/** Ours: what others may compare with. */
export const PUBLISHED: readonly Published[] = [
  {
    name: 'small team',
    workload: {
      ...USUAL,
      storedGb: 20,
      tableGb: 0.05,
      pushes: 200,
      pulls: 1000,
      internetGb: 30,
      regionGb: 50,
    },
    seats: 5,
    isPublic: false,
  },
  {
    name: 'CI farm',
    workload: {
      ...USUAL,
      ...{ storedGb: 200, tableGb: 0.5, pushes: 10_000, pulls: 100_000, internetGb: 0, regionGb: 10_000 },
      newLayers: 2,
    },
    seats: 10,
    isPublic: false,
  },
  {
    name: 'public project',
    workload: {
      ...USUAL,
      storedGb: 30,
      tableGb: 0.1,
      pushes: 300,
      pulls: 30_000,
      internetGb: 3000,
      regionGb: 500,
    },
    seats: 1,
    isPublic: true,
  },
  {
    name: 'archive',
    workload: { ...USUAL, storedGb: 2000, tableGb: 2, pushes: 50, pulls: 20, internetGb: 4, regionGb: 0 },
    seats: 2,
    isPublic: false,
  },
];

/** Dollars a month; `undefined` where it does not offer that. */
type PriceOf = (published: Published, prices: Prices, withFree: boolean) => number | undefined;

/** Another registry at list price, with the page it is from; written down in 2026-11, without a look at these pages on that day. */
export interface Other {
  readonly name: string;
  readonly from: string;
  readonly price: PriceOf;
}

const ECR_PUBLIC_FREE_GB = 50;
const HUB_SEAT = 15;
/** What its list says of a plan for teams: pulls, and GB in private repositories. */
const HUB_PULLS = 100_000;

export const OTHERS: readonly Other[] = [
  {
    name: 'ECR',
    from: 'https://aws.amazon.com/ecr/pricing/',
    price: ({ workload }, prices, withFree) => billFor(ecrQuantities(workload), prices, withFree).total,
  },
  {
    // Whoever pulls more than 500 GB a month without a login is stopped, and pays beyond 5 TB with one; the owner pays for none.
    name: 'ECR Public',
    from: 'https://aws.amazon.com/ecr/pricing/',
    price: ({ workload, isPublic }, { items: { ecrStorage } }, withFree) =>
      isPublic
        ? Math.max(0, workload.storedGb - (withFree ? ECR_PUBLIC_FREE_GB : 0)) * ecrStorage.price
        : undefined,
  },
  {
    // Free until further notice, which comes a month before; private packages of other kinds are $0.25 a GB, and $0.50 a GB downloaded.
    name: 'GHCR',
    from: 'https://docs.github.com/en/billing/concepts/product-billing/github-packages',
    price: () => 0,
  },
  {
    // Team, paid by the year. Public images may be one person's, for nothing; who pulls them without a login has 100 pulls in 6 hours.
    name: 'Docker Hub',
    from: 'https://www.docker.com/pricing/',
    price: ({ seats, isPublic, workload: { pulls } }) =>
      isPublic ? 0 : pulls > HUB_PULLS ? undefined : seats * HUB_SEAT,
  },
];

/** A published workload by ours, with the option of downloads that costs least, and by others. */
export function compared(published: Published, prices: Prices, withFree: boolean) {
  const bills = (['s3', 'cdn'] as const).map((downloads) => ({
    downloads,
    bill: billFor(quantitiesOf({ ...published.workload, downloads }), prices, withFree),
  }));
  const [best] = bills.toSorted((a, b) => a.bill.total - b.bill.total);
  const others = OTHERS.map(({ name, price }) => ({ name, total: price(published, prices, withFree) }));
  return { ...published, ...(best as (typeof bills)[number]), others };
}
