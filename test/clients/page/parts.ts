import { pullByTestcontainers, pushByJibCore } from './java.ts';
import { pullAsKubelet } from './kubelet.ts';
import type { DaemonName } from './page-daemons.ts';
import type { Visit } from './visit.ts';

/** What the commands of one part of docs/clients.md need. */
export interface Part {
  /** The title of the section, or what stands after `sh`. */
  readonly name: string;
  /** Skipped, or failed where they are required, if one of these is not on the PATH and Go cannot make it. */
  readonly programs: readonly string[];
  readonly daemon?: DaemonName;
  /** Whether only today's clients can, which `--modern` brings. @default false */
  readonly isModern?: boolean;
  /** Repository and tag of what is pushed, which is not there before. */
  readonly pushes?: readonly [repository: string, tag: string];
  /** Whether a JVM has to trust the registry's certificate. @default false */
  readonly isJava?: boolean;
  /** Whether they set SECRET, for all that follow. @default false */
  readonly makesSecret?: boolean;
  /** What else is to come of it. */
  readonly after?: (visit: Visit) => Promise<void>;
}

const APP = ['team-a/app', '1.0.0'] as const;

/** Every part whose commands are run, in the order of the page. */
export const PARTS: readonly Part[] = [
  { name: 'A robot for each machine', programs: ['stowage'], makesSecret: true },
  { name: 'stowage', programs: ['stowage'], pushes: APP },
  { name: 'docker', programs: ['docker', 'dockerd'], daemon: 'docker', pushes: APP },
  { name: 'buildx', programs: ['docker', 'dockerd'], daemon: 'docker', isModern: true, pushes: APP },
  { name: 'podman', programs: ['podman'], pushes: APP },
  { name: 'skopeo', programs: ['skopeo'], pushes: APP },
  { name: 'buildah', programs: ['buildah'], pushes: APP },
  { name: 'crane', programs: ['crane'], pushes: APP },
  { name: 'regctl and regsync', programs: ['regctl', 'regsync'], pushes: APP },
  { name: 'oras', programs: ['oras'], pushes: ['team-a/files', '1.0.0'] },
  { name: 'oras-py', programs: ['python3'], pushes: ['team-a/files', '2.0.0'] },
  { name: 'cosign', programs: ['cosign', 'crane'], isModern: true },
  { name: 'Helm', programs: ['helm'], pushes: ['team-a/chart', '1.0.0'] },
  {
    name: 'Kubernetes',
    programs: ['kubectl', 'go', 'containerd', 'ctr'],
    daemon: 'containerd',
    after: pullAsKubelet,
  },
  { name: 'Jib', programs: ['mvn', 'javac', 'keytool'], isJava: true, pushes: APP, after: pushByJibCore },
  {
    name: 'testcontainers',
    programs: ['mvn', 'javac', 'keytool', 'docker', 'dockerd'],
    isJava: true,
    daemon: 'docker',
    after: pullByTestcontainers,
  },
  { name: 'containerd', programs: ['containerd', 'ctr'], daemon: 'containerd', pushes: APP },
];
