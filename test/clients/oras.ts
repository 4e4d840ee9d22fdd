import { readFile } from 'node:fs/promises';
import type { Client, Copy, Desk, ExtraCheck, Session } from './client.ts';
import { TAG } from './layout.ts';
import { layoutSession } from './layout-client.ts';
import { expectEqual } from './registry.ts';
import { SBOM_MEDIA_TYPE, SBOM_TYPE, writeSbom } from './sbom.ts';

export const oras: Client = {
  name: 'oras',
  sends: 'PUT',
  programs: ['oras'],
  open,
};

interface Discovered {
  readonly referrers: ReadonlyArray<{ readonly digest: string; readonly artifactType: string }>;
}

async function open(desk: Desk): Promise<Session> {
  const copy = (...args: string[]) => desk.run('oras', ['cp', '--no-tty', ...args]);
  const { host } = desk.registry;
  const [version = ''] = (await desk.run('oras', ['version'])).split('\n');
  return layoutSession(desk, {
    version: `oras ${version.replace(/^Version:\s*/, '')}`,
    login: ({ username, password }) =>
      desk.run('oras', ['login', '--plain-http', '--username', username, '--password-stdin', host], {
        input: password,
      }),
    logout: () => desk.run('oras', ['logout', host]),
    push: (directory, reference) =>
      copy('--from-oci-layout', `${directory}:${TAG}`, '--to-plain-http', reference),
    pull: (reference, directory) =>
      copy('--from-plain-http', reference, '--to-oci-layout', `${directory}:${TAG}`),
    extras: [attachment(desk), copyWithReferrers(desk)],
  });
}

function attachment(desk: Desk): ExtraCheck {
  const reference = desk.reference('image');
  return {
    what: 'attaches a bill of materials, discovers it, pulls it back',
    async run(image: Copy) {
      const sbom = await writeSbom(desk, image.digest);
      const attach = ['attach', '--plain-http', '--no-tty', '--artifact-type', SBOM_TYPE, reference];
      await desk.run('oras', [...attach, `sbom.json:${SBOM_MEDIA_TYPE}`]);
      const found = await discover(desk);
      const types = found.referrers.map(({ artifactType }) => artifactType);
      expectEqual('discovered', types, [SBOM_TYPE]);

      const [referrer] = found.referrers;
      const artifact = reference.replace(/:[^:/]*$/, `@${referrer?.digest}`);
      await desk.run('oras', ['pull', '--plain-http', '--no-tty', '--output', 'attached', artifact]);
      expectEqual('what was attached', await readFile(desk.file('attached', 'sbom.json'), 'utf8'), sbom);
    },
  };
}

/** To another repository and with a look at what arrives there. */
function copyWithReferrers(desk: Desk): ExtraCheck {
  return {
    what: 'copies the image with its referrer to another repository',
    async run(image: Copy) {
      const repository = `${desk.repository('image')}-copy`;
      const flags = ['--no-tty', '--recursive', '--from-plain-http', '--to-plain-http'];
      const target = `${desk.registry.host}/${repository}:${TAG}`;
      await desk.run('oras', ['cp', ...flags, desk.reference('image'), target]);
      const { digest } = await desk.registry.verify(repository, TAG);
      expectEqual('copied image', digest, image.digest);
      const { referrers } = await discover(desk);
      const copied = await desk.registry.referrers(repository, image.digest);
      expectEqual(
        'copied referrers',
        copied,
        referrers.map((referrer) => referrer.digest),
      );
    },
  };
}

async function discover(desk: Desk): Promise<Discovered> {
  const flags = ['--plain-http', '--format', 'json'];
  return JSON.parse(await desk.run('oras', ['discover', ...flags, desk.reference('image')])) as Discovered;
}
