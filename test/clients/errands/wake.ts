import { join } from 'node:path';
import { openTarget, TargetUnavailable } from '../../targets.ts';
import { buildah } from '../buildah.ts';
import { type Client, Desk } from '../client.ts';
import { crane } from '../crane.ts';
import { docker } from '../docker.ts';
import { whyAbsent } from '../go-tools.ts';
import { podman } from '../podman.ts';
import { type Credentials, expectEqual, Registry } from '../registry.ts';
import { skopeo } from '../skopeo.ts';
import type { Errand, ErrandOptions } from './errand.ts';

const BOOT_MS = 5000;

/** Those that send layers by PATCH. */
const CLIENTS: readonly Client[] = [docker, podman, skopeo, buildah, crane];

/** Pushes to a deployment whose stream host is asleep, all at once and with no option. */
export const wake: Errand = { name: 'wake', run: pushFromCold };

async function pushFromCold(options: ErrandOptions): Promise<void> {
  const { report, directory } = options;
  const open = () =>
    openTarget('front', directory, { streamHost: 'wake', bootMs: BOOT_MS }).catch((error: unknown) => {
      if (error instanceof TargetUnavailable) return undefined;
      throw error;
    });
  const target = await report.check('wake', 'has a stream host that sleeps', open);
  if (!target?.admin) return;
  try {
    const registry = new Registry(target.url, target.admin);
    const { admin } = target;
    await Promise.all(CLIENTS.map((client) => pushBy(client, registry, admin, options)));
    await report.check('wake', 'has started its machine once for all of them', async () => {
      const { boots, state } = (await (await fetch(`${target.harness}/ec2`)).json()) as Record<
        string,
        unknown
      >;
      expectEqual('the machine', { boots, state }, { boots: 1, state: 'running' });
    });
  } finally {
    await target.stop();
  }
}

async function pushBy(
  client: Client,
  registry: Registry,
  admin: Credentials,
  options: ErrandOptions,
): Promise<void> {
  const { report, directory, images, path, tools, isRequired } = options;
  const absent = await whyAbsent(client.programs, path, tools);
  if (absent !== undefined && isRequired(client.name))
    return report.fail('wake', `by ${client.name}`, absent);
  if (absent !== undefined) return report.skip('wake', `by ${client.name}`, absent);
  await report.check('wake', `lets ${client.name} push while it wakes`, async () => {
    const place = { registry, images, prefix: 'wake', path };
    // podman takes no long path
    const desk = await Desk.create(client.name, join(directory, '../..', `w-${client.name}`), place);
    const session = await client.open(desk);
    try {
      await session.login(admin);
      const parcel = desk.tinyParcel('tiny');
      const { digest } = await session.push(parcel);
      expectEqual('the image', (await registry.verify(parcel.repository, digest)).digest, digest);
    } finally {
      await session.close();
    }
  });
}
