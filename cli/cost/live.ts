import type { Traffic } from '../../api/types.ts';
import type { Session } from '../session.ts';
import { sizeText, table } from '../text.ts';
import { type Priced, priceOf } from './repositories.ts';
import { dollarText } from './text.ts';

const GB = 2 ** 30;

/** Tells what was downloaded in this month so far, by repository and by who did, and what that costs at most. */
export async function costSoFar({ api, output }: Session, options: Priced): Promise<void> {
  const traffic = await api.get<Traffic>('/traffic');
  const { month, repositories, principals, limits } = traffic;
  const costOf = (bytes: number) => priceOf({ internetGb: bytes / GB }, options);
  const total = repositories.reduce((sum, { bytes }) => sum + costOf(bytes), 0);
  const priced = <T extends { readonly bytes: number }>(each: T) => ({ ...each, cost: costOf(each.bytes) });
  const told = {
    ...traffic,
    repositories: repositories.map(priced),
    principals: principals.map(priced),
    total,
  };
  output.result(told, () => {
    const row = (name: string, { downloads, bytes }: { downloads: number; bytes: number }) => [
      name,
      `${downloads}`,
      sizeText(bytes),
      dollarText(costOf(bytes)),
    ];
    const byRepository = repositories.map(({ repository, ...amount }) => row(repository, amount));
    const byPrincipal = principals.map(({ principal, ...amount }) => row(principal, amount));
    const columns = ['DOWNLOADS', 'BYTES', 'AT MOST'];
    return [
      table(['REPOSITORY', ...columns], [...byRepository, ['total', ' ', ' ', dollarText(total)]]),
      table(['BY', ...columns], byPrincipal),
    ].join('\n\n');
  });
  for (const { policy, of, used, limit, percent } of limits)
    output.say(`today ${sizeText(used)} of ${sizeText(limit)} (${percent} %) that ${policy} allows ${of}`);
  output.say(
    `layers downloaded in ${month} (UTC), as if all of it went to the internet, at list prices of ${options.prices.region} as of ` +
      `${options.prices.asOf}; what processes have not written down yet, or lost, is not in it`,
  );
}
