/** They send a layer in one PUT, or small things only, or small chunks: none of them needs the stream host. CloudFront gives its own
 *  name to who says none. */
const ONE_PUT =
  /^$|^(?:Amazon CloudFront|Go-http-client|oras|helm|notation)\b|containerd|buildkit|nerdctl|regclient|stowage|conformance|\bcosign\b/i;

/** How long each family begins uploads anew before it gives up by itself, less some seconds: it is told what to do instead. Seen of
 *  docker 175 s, of podman, skopeo and buildah 129 s, of go-containerregistry 80 s. */
const PATIENCE: readonly (readonly [RegExp, number])[] = [
  [/^docker\//i, 160_000],
  [/^(?:containers|podman|skopeo|buildah|libpod|cri-o)\b/i, 120_000],
];
const LEAST_PATIENCE_MS = 75_000;

/** The longest of them: a start that takes longer has failed. */
export const LONGEST_START_MS = 165_000;

/** For how many milliseconds a client may be kept from its upload while the stream host starts, which it may send a layer to;
 *  `undefined` for one that is known to need no stream host. */
export function patienceOf(agent: string): number | undefined {
  if (ONE_PUT.test(agent)) return undefined;
  return PATIENCE.find(([family]) => family.test(agent))?.[1] ?? LEAST_PATIENCE_MS;
}
