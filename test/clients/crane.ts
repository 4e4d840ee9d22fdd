import { type Client, type Desk, digestIn, type ExtraCheck, type Session } from './client.ts';
import { layoutSession } from './layout-client.ts';
import { expectEqual } from './registry.ts';
import { sbomLayout } from './sbom.ts';

export const crane: Client = {
  name: 'crane',
  sends: 'PATCH',
  programs: ['crane'],
  loginIsBlind: true,
  open,
};

async function open(desk: Desk): Promise<Session> {
  const { host } = desk.registry;
  const run = (...args: string[]) => desk.run('crane', ['--insecure', ...args]);
  return layoutSession(desk, {
    version: `crane ${(await run('version')).trim()}`,
    login: ({ username, password }) =>
      desk.run('crane', ['auth', 'login', '--username', username, '--password-stdin', host], {
        input: password,
      }),
    logout: () => run('auth', 'logout', host),
    push: (directory, reference) => run('push', directory, reference),
    pull: (reference, directory) => run('pull', '--format=oci', reference, directory),
    extras: [referrer(desk)],
  });
}

function referrer(desk: Desk): ExtraCheck {
  return {
    what: 'pushes an artifact that refers to the image',
    async run() {
      const subject = desk.images.image.descriptor;
      const artifact = await sbomLayout(desk.file('sbom'), desk.client, subject);
      const repository = desk.repository('image');
      const reference = `${desk.registry.host}/${repository}:sbom`;
      const printed = await desk.run('crane', ['--insecure', 'push', desk.file('sbom'), reference]);
      expectEqual('pushed artifact', digestIn(printed), artifact.digest);
      await desk.registry.verify(repository, artifact.digest);
      const referrers = await desk.registry.referrers(repository, subject.digest);
      expectEqual('referrers of the image', referrers, [artifact.digest]);
    },
  };
}
