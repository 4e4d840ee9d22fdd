import { STREAM_REGIONS } from './stream-network.ts';

interface UsualStreamHost {
  readonly streamHost: 'wake' | 'none';
  /** For whoever deploys, where it is not what it usually is. */
  readonly remark?: string;
}

/** What a deployment has that says nothing of a stream host; `region` is where it goes, as far as that is known. */
export function usualStreamHost(region: string | undefined): UsualStreamHost {
  if (region === undefined || STREAM_REGIONS.includes(region)) return { streamHost: 'wake' };
  const remark =
    `CloudFront has no VPC origins in ${region} that this stack knows of: the registry has no stream host there (streamHost=none). ` +
    'docker on its classic store, podman, skopeo, buildah, crane and Jib push layers of up to 4 MiB; others, and "stowage push", any';
  return { streamHost: 'none', remark };
}
