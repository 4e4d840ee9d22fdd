import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { billFor } from '../../cli/cost/bill.ts';
import { manifestUnits, type OperationName, unitsOf } from '../../cli/cost/measured.ts';
import { type ItemName, LIST_PRICES } from '../../cli/cost/prices.ts';
import { compared, OTHERS, PUBLISHED } from '../../cli/cost/published.ts';
import { ecrQuantities, idle, quantitiesOf, type Workload } from '../../cli/cost/quantities.ts';
import { dollarText } from '../../cli/cost/text.ts';
import { scratch } from '../scratch.ts';
import { Stowage } from './program.ts';

const EMPTY: Workload = {
  ...{ storedGb: 0, tableGb: 0, pushes: 0, pulls: 0, layers: 10, newLayers: 2, layerMb: 512 },
  ...{ internetGb: 0, regionGb: 0, downloads: 's3', streamHost: 'none', pushBy: 'docker', lambdaMs: 50 },
};

const MILLION = 1e6;
const DOCS = join(import.meta.dirname, '../../docs');

/** The dollars of each line, in whole cents. */
function linesOf(workload: Partial<Workload>, withFree = true): Partial<Record<ItemName, number>> {
  const { lines } = billFor(quantitiesOf({ ...EMPTY, ...workload }), LIST_PRICES, withFree);
  return Object.fromEntries(lines.map(({ item, dollars }) => [item, Math.round(dollars * 100) / 100]));
}

/** Read units of operations, as many of each. */
const readsOf = (...operations: readonly (readonly [number, OperationName])[]) =>
  operations.reduce((sum, [times, name]) => sum + times * unitsOf(name).reads, 0);

describe('the price of a workload', () => {
  it('is for pulls what their requests cost on their way', () => {
    // For each: a challenge at the edge, a token, HEAD and GET of the manifest, the config, and ten layers. Ten layers
    // and the config are read from S3, all but the challenge go through gateway and Lambda.
    const lines = linesOf({ pulls: MILLION });
    expect(lines).toMatchObject({
      edgeRequests: 5, // of 15 million, 10 are free
      edgeRuns: 2.7, // 14 million answers have two, the challenge one; 2 are free
      edgeKeys: 0.42, // 14 million: a token needs none
      gateway: 14,
      runs: 2.6, // of 14 million, 1 is free
      compute: 4, // 14 million times 50 ms of 1 GB are 700,000 GB-seconds, of which 400,000 are free
      gets: 4.4, // 11 million
      logs: 3.37, // 14 million times 900 bytes are 11.73 GB, of which 5 are free
    });
    const reads = readsOf(
      [1, 'token, robot'],
      [1, 'HEAD manifest by tag'],
      [1, 'GET manifest by digest'],
      [1, 'GET blob of at most 64 KiB'],
      [10, 'GET blob'],
    );
    expect(lines.reads).toBeCloseTo(reads * 0.125, 2);
    expect(lines).not.toHaveProperty('uploads');
    expect(linesOf({ pulls: MILLION, index: true })).toMatchObject({ gateway: 15 });
  });

  it('is for pushes the bytes through CloudFront, and the same ways', () => {
    // A thousand times: a challenge, a token, HEAD of the manifest, of 8 blobs that are there and of 3 that are not,
    // 3 POSTs, 1 PUT of the config, 2 PUTs past the registry, 2 events, the manifest.
    const { lines } = billFor(quantitiesOf({ ...EMPTY, pushes: 1000 }), LIST_PRICES, false);
    const quantity = Object.fromEntries(lines.map((line) => [line.item, line.quantity]));
    expect(quantity).toMatchObject({
      uploads: 1000, // GB, of 2 layers of 512 MB each
      edgeRequests: 21_000,
      gateway: 18_000,
      runs: 20_000,
      compute: 18_000 * 0.05 + 2000 * 0.05 * 0.5,
      edgeKeys: 20_000,
      edgeRuns: 37_000, // 16 answers have two; the challenge and four that are not found have one
      puts: 3000,
      events: 3000,
      gets: 2000, // HeadObject of each upload that S3 told of
    });
    expect(linesOf({ pushes: 1000 }, false)).toMatchObject({ uploads: 20, puts: 0.02 });
  });

  it('has no byte pass CloudFront where stowage pushes', () => {
    // In the place of the manifest it asks for /v2/, which reads nothing; S3's two PUTs see no edge.
    const [docker, stowage] = (['docker', 'stowage'] as const).map((pushBy) =>
      quantitiesOf({ ...EMPTY, pushes: 1000, pushBy }),
    );
    expect(stowage).toMatchObject({
      uploads: 0,
      edgeRequests: 19_000,
      gateway: 18_000,
      runs: 20_000,
      puts: 3000,
    });
    expect(stowage?.edgeKeys).toBe((docker?.edgeKeys ?? 0) - 2000);
    expect(quantitiesOf({ ...EMPTY, pushes: 1, layerMb: 3, pushBy: 'stowage' }).uploads).toBeGreaterThan(0);
  });

  it('sends layers that the API takes through the gateway, by 512 KB', () => {
    const small = quantitiesOf({ ...EMPTY, pushes: 1, newLayers: 2, layerMb: 3 });
    expect(small).toMatchObject({ gateway: 18 + 2 * 6, runs: 18 + 2, puts: 3, gets: 0 });
  });

  it('takes downloads from S3, free in the region, or all of them through CloudFront', () => {
    const downloads = { internetGb: 1500, regionGb: 1000 };
    expect(linesOf(downloads)).toEqual({ egress: 126, alarms: 0 });
    expect(linesOf({ ...downloads, downloads: 'cdn' })).toEqual({ cdn: 125.46, alarms: 0 }); // 1,476 of 2,500 GB
    expect(linesOf({ ...downloads, downloads: 'cdn' }, false)).toEqual({ cdn: 212.5, alarms: 1 });
    const throughCdn = quantitiesOf({ ...EMPTY, pulls: 1, downloads: 'cdn' });
    expect(throughCdn).toMatchObject({ edgeRequests: 25, edgeRuns: 29 + 10, gets: 11 });
  });

  it('is storage alone when nobody comes, and the instance where there is one', () => {
    const busy = { ...EMPTY, storedGb: 100, pushes: 5000, pulls: MILLION, internetGb: 500 };
    const total = (workload: Workload) => billFor(quantitiesOf(idle(workload)), LIST_PRICES, true).total;
    expect(total(busy)).toBeCloseTo(2.3, 6);
    expect(total({ ...busy, tableGb: 2 })).toBeCloseTo(2.3 + 2 * 0.45, 6);
    expect(total({ ...busy, streamHost: 'instance' })).toBeCloseTo(2.3 + 3.066 + 0.64 + 0.3, 6); // three alarms beyond ten
    expect(billFor(quantitiesOf(idle(busy)), LIST_PRICES, false).total).toBeCloseTo(2.3 + 1, 6);
  });

  it('is storage and egress in ECR', () => {
    const quantities = ecrQuantities({
      ...EMPTY,
      storedGb: 50,
      pulls: MILLION,
      internetGb: 500,
      regionGb: 9,
    });
    expect(billFor(quantities, LIST_PRICES, true).total).toBeCloseTo(5 + 36, 6);
    expect(billFor(quantities, LIST_PRICES, false).total).toBeCloseTo(5 + 45, 6);
  });

  it('puts a manifest on the line between those that were measured', () => {
    const [one, many] = [unitsOf('PUT manifest, 1 layer'), unitsOf('PUT manifest, 49 layers')];
    expect(manifestUnits(1)).toMatchObject({ reads: one.reads, writes: one.writes });
    expect(manifestUnits(49)).toMatchObject({ reads: many.reads, writes: many.writes });
    expect(manifestUnits(25).writes).toBeCloseTo((one.writes + many.writes) / 2, 6);
    expect(manifestUnits(240).reads).toBeGreaterThan(unitsOf('PUT manifest, 120 layers').reads);
  });
});

describe('stowage cost', () => {
  const start = async () => new Stowage(await scratch());

  it('compares four published workloads as the page does, each of which costs less than in ECR', async () => {
    const stowage = await start();
    const { stdout, stderr } = await stowage.run('cost --compare');
    expect(stdout).toContain('archive');
    const page = await readFile(join(DOCS, 'cost.md'), 'utf8');
    expect(page).toContain(`$ stowage cost --compare\n${stdout.trimEnd()}\n`);
    expect(stderr).toContain('as of 2026-11');
    for (const published of PUBLISHED) {
      const { bill, others } = compared(published, LIST_PRICES, true);
      expect(bill.total).toBeLessThan(others.find(({ name }) => name === 'ECR')?.total ?? 0);
    }
    for (const { from } of OTHERS) expect(page).toContain(from);
    const { stderr: misuse, code } = await stowage.run('cost --compare --pulls 5');
    expect([code, misuse]).toEqual([2, expect.stringContaining('--pulls is not for --compare')]);
  });

  it('prints the bill, what ECR takes and what idling costs, and the same as JSON', async () => {
    const stowage = await start();
    const words = 'cost --stored-gb 50 --table-gb 0 --pulls 1000 --internet-gb 500';
    const { code, stdout, stderr } = await stowage.run(words);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^WHAT +QUANTITY +FREE +PRICE +USD A MONTH\n/);
    expect(stdout).toMatch(/^S3, images +50 +- +\$0\.023 \/ GB-month +1\.15$/m);
    expect(stdout).toMatch(/^S3, downloads to the internet +500 +100 +\$0\.09 \/ GB +36\.00$/m);
    expect(stdout).toMatch(/^total +37\.\d\d$/m);
    expect(stdout).toMatch(/^ECR, the same: +\$41\.00$/m);
    expect(stdout).toMatch(/^without a push or pull: +\$1\.15$/m);
    expect(stderr).toContain('list prices of us-east-1 as of 2026-11');
    const told = (await stowage.json(words)) as { total: number };
    expect(told).toMatchObject({
      prices: { region: 'us-east-1', freeTier: true },
      workload: { storedGb: 50, pulls: 1000, layers: 10 },
      idle: { total: expect.closeTo(1.15, 6) },
      ecr: { total: 41 },
    });
    expect(told.total).toBeGreaterThan(37.15);
  });

  it('takes the prices of a file, all of them and no others', async () => {
    const [stowage, folder] = [await start(), await scratch()];
    const write = async (name: string, content: unknown) => {
      await writeFile(join(folder, name), JSON.stringify(content));
      return join(folder, name);
    };
    const storage = { ...LIST_PRICES.items.storage, price: 0.0245 };
    const items = { ...LIST_PRICES.items, storage };
    const other = await write('other.json', { asOf: '2027-01', region: 'eu-central-1', items });
    const { stdout, stderr } = await stowage.run(`cost --stored-gb 100 --table-gb 0 --prices ${other}`);
    expect(stdout).toMatch(/^total +2\.45$/m);
    expect(stderr).toContain('list prices of eu-central-1 as of 2027-01');
    const { storage: _, ...fewer } = items;
    const wrong = [
      [{ asOf: '2027-01', region: 'x', items: fewer }, 'items.storage is missing'],
      [{ asOf: '2027-01', region: 'x', items: { ...items, ingress: storage } }, 'there is no item ingress'],
      [
        { asOf: '2027-01', region: 'x', items: { ...items, puts: { price: -1, per: 1 } } },
        'items.puts.price',
      ],
      [{ region: 'x', items }, 'asOf'],
    ] as const;
    for (const [content, message] of wrong) {
      const refused = await stowage.run(`cost --stored-gb 1 --prices ${await write('wrong.json', content)}`);
      expect(refused).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(message) });
    }
  });

  it.each([
    ['nothing at all', 'cost', '--stored-gb'],
    ['an amount below 0', 'cost --pushes -2', 'from 0 to a billion'],
    ['more new layers than layers', 'cost --pushes 1 --layers 2 --new-layers 3', 'at most --layers'],
    ['a layer that S3 takes in no PUT', 'cost --pushes 1 --layer-mb 6000', 'at most 5120'],
    ['tags of no repository', 'cost --stored-gb 1 --tags v1', 'is for a repository'],
    ['a workload of a repository', 'cost team/app --pulls 7', 'is for a workload'],
    ['a repository and all of them', 'cost team/app --repositories', 'name a repository, or'],
    ['too many days', 'cost team/app --days 366', '1 to 365'],
    ['an option of the deployment that is none', 'cost --pulls 1 --downloads ftp', 's3, cdn'],
  ])('refuses %s', async (_, words, message) => {
    const refused = await (await start()).run(words);
    expect(refused).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(message) });
  });

  it('is quoted in docs/cost.md and docs/deploy.md as it is', async () => {
    const [stowage, page] = [await start(), join(DOCS, 'cost.md')];
    const text = await readFile(page, 'utf8');
    const [block = '', command = '', quoted] = /^```\n\$ stowage (.*)\n([\s\S]*?)```$/m.exec(text) ?? [];
    const printed = await stowage.print(command);
    if (process.env['STOWAGE_WRITE_CALLS'])
      await writeFile(
        page,
        text.replace(block, () => `\`\`\`\n$ stowage ${command}\n${printed}\`\`\``),
      );
    else expect(quoted).toBe(printed);
    const deploy = await readFile(join(DOCS, 'deploy.md'), 'utf8');
    const [, ...commands] = deploy.split('\nstowage cost ').map((part) => part.split('\n')[0]);
    const bills = commands.filter((words) => words?.startsWith('--'));
    expect(bills).toHaveLength(2);
    for (const words of bills) {
      const told = (await stowage.json(`cost ${words}`)) as { total: number; ecr: { total: number } };
      for (const { total } of [told, told.ecr]) expect(deploy).toContain(dollarText(total));
    }
  });
});
