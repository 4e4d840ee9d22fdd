import { buildah } from './buildah.ts';
import type { Client } from './client.ts';
import { crane } from './crane.ts';
import { ctr } from './ctr.ts';
import { docker, dockerContainerd } from './docker.ts';
import { helm } from './helm.ts';
import { oras } from './oras.ts';
import { podman } from './podman.ts';
import { regctl } from './regctl.ts';
import { skopeo } from './skopeo.ts';

/** Every client there is, in the order in which they are asked. Each has a user of its own, who sees nothing of the
 *  others', so none is spared sending a layer that another has sent. */
export const CLIENTS: readonly Client[] = [
  docker,
  dockerContainerd,
  ctr,
  podman,
  skopeo,
  buildah,
  crane,
  oras,
  regctl,
  helm,
];
