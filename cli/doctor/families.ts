/** The families of clients, by how they push a blob. */
export const FAMILIES = {
  'docker-classic': 'docker (classic image store)',
  containerd: 'docker (containerd image store), containerd, buildkit, nerdctl',
  podman: 'podman, skopeo, buildah',
  crane: 'crane, ko, kaniko, cosign',
  oras: 'oras, helm, notation',
  regctl: 'regctl',
  'stowage-push': 'stowage push',
} as const;

export type Family = keyof typeof FAMILIES;

export const EVERY_FAMILY = Object.keys(FAMILIES) as readonly Family[];

/** They send a whole blob in one PATCH. */
export const PATCH_FAMILIES: readonly Family[] = ['docker-classic', 'podman', 'crane'];

/** They send a whole blob in one PUT. */
export const PUT_FAMILIES: readonly Family[] = ['containerd', 'oras', 'regctl', 'stowage-push'];

/** What clients of a family call themselves, where the front door decides by it. */
export const AGENTS = {
  'docker-classic':
    'docker/28.5.2 go/go1.24 kernel/6.1 os/linux arch/amd64 UpstreamClient(Docker-Client/28.5.2)',
  podman: 'containers/5.39.2 (github.com/containers/image)',
  crane: 'crane/0.20.7 go-containerregistry/0.20.7',
} as const satisfies Partial<Record<Family, string>>;

export type AgentFamily = keyof typeof AGENTS;

export const AGENT_FAMILIES = Object.keys(AGENTS) as readonly AgentFamily[];
