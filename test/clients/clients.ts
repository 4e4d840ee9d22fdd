import { buildah } from './buildah.ts';
import type { Client } from './client.ts';
import { crane } from './crane.ts';
import { ctr } from './ctr.ts';
import { docker } from './docker.ts';
import { oras } from './oras.ts';
import { podman } from './podman.ts';
import { regctl } from './regctl.ts';
import { skopeo } from './skopeo.ts';

/**
 * Every client there is, in the order in which they are asked. regctl is the first to send the layers: it
 * asks for a mount of any blob, and a registry that has it from another client may say yes.
 */
export const CLIENTS: readonly Client[] = [regctl, docker, ctr, podman, skopeo, buildah, crane, oras];
