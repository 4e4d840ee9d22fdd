import type { ImageView } from '../../api/types.ts';

const HELM_CONFIG = 'application/vnd.cncf.helm';

/** What a terminal takes, by client, in the order of who has them; only those that can pull such a thing. */
export function pullCommands(
  host: string,
  repository: string,
  { tag, digest, kind, artifactType, mediaType }: ImageView,
  byDigest: boolean,
): ReadonlyMap<string, string> {
  const named = `${host}/${repository}`;
  const reference = byDigest || tag === undefined ? `${named}@${digest}` : `${named}:${tag}`;
  const isChart = (artifactType ?? mediaType).startsWith(HELM_CONFIG);
  const images = [
    ['docker', `docker pull ${reference}`],
    ['podman', `podman pull ${reference}`],
    ['crane', `crane pull ${reference} image.tar`],
    ['ctr', `ctr images pull --user "$USER" ${reference}`],
    ['skopeo', `skopeo copy docker://${reference} oci:image`],
  ] as const;
  const charts = [['helm', helm(named, tag, digest, byDigest)]] as const;
  const any = [
    ['oras', kind === 'artifact' ? `oras pull ${reference}` : `oras copy --to-oci-layout ${reference} image`],
  ] as const;
  if (isChart) return new Map([...charts, ...any]);
  return new Map<string, string>(kind === 'artifact' ? any : [...images, ...any]);
}

/** Helm takes a version as an option, where a tag has a `_` for each `+`. */
function helm(named: string, tag: string | undefined, digest: string, byDigest: boolean): string {
  if (byDigest || tag === undefined) return `helm pull oci://${named}@${digest}`;
  return `helm pull oci://${named} --version ${tag.replaceAll('_', '+')}`;
}
