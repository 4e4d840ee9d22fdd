import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import type {
  Finding,
  ImageView,
  ManifestPage,
  ReferrerPage,
  ReferrerView,
  Repository,
  RetentionPage,
  SearchResult,
  TagDeletions,
  TagMove,
  TagNames,
  TagPlaced,
} from '../../../api/types.ts';
import { allPages, api } from './api.ts';

const POLL_MS = 5_000;
const POLL_FOR_MS = 10 * 60_000;

const pathOf = (repository: string) => `/repositories/${repository}`;

type RepositoryPage = { readonly repositories: readonly Repository[]; readonly next?: string };

/** All that the viewer may see. `waits`: until when to look for a first one. */
export function useRepositories(waits: { readonly since: number } | undefined) {
  return useQuery({
    queryKey: ['repositories'],
    queryFn: () => allPages<RepositoryPage, Repository>('/repositories?n=1000', (page) => page.repositories),
    refetchInterval: ({ state: { data } }) =>
      waits && data?.length === 0 && Date.now() - waits.since < POLL_FOR_MS ? POLL_MS : false,
  });
}

export const useRepository = (name: string) =>
  useQuery({ queryKey: ['repository', name], queryFn: () => api<Repository>(`GET ${pathOf(name)}`) });

export const useTagNames = (repository: string) =>
  useQuery({
    queryKey: ['names', repository],
    queryFn: () =>
      allPages<TagNames, string>(`${pathOf(repository)}/-/tag-names?n=10000`, (page) => page.names, 100_000),
  });

/** Of an index: its image for `platform`. What a digest names never changes. */
export const useImage = (repository: string, reference: string, platform?: string) =>
  useQuery({
    queryKey: ['image', repository, reference, platform],
    queryFn: () => {
      const query = platform === undefined ? '' : `?platform=${encodeURIComponent(platform)}`;
      return api<ImageView>(`GET ${pathOf(repository)}/-/images/${reference}${query}`);
    },
    ...(reference.includes(':') && { staleTime: 10 * 60_000 }),
  });

export const useReferrers = (repository: string, digest: string | undefined) =>
  useQuery({
    queryKey: ['referrers', repository, digest],
    queryFn: () =>
      allPages<ReferrerPage, ReferrerView>(
        `${pathOf(repository)}/-/manifests/${digest}/referrers`,
        (page) => page.referrers,
        1000,
      ),
    enabled: digest !== undefined,
  });

export const useHistory = (repository: string, tag: string) =>
  useQuery({
    queryKey: ['history', repository, tag],
    queryFn: () => api<{ history: readonly TagMove[] }>(`GET ${pathOf(repository)}/-/tags/${tag}/history`),
  });

export const useUntagged = (repository: string) =>
  useInfiniteQuery({
    queryKey: ['untagged', repository],
    initialPageParam: '',
    queryFn: ({ pageParam }) =>
      api<ManifestPage>(
        `GET ${pathOf(repository)}/-/manifests?untagged=true${pageParam && `&last=${pageParam}`}`,
      ),
    getNextPageParam: ({ next }) => next,
  });

/** What the policies would do now, by tag and by digest; for admins of the repository. */
export const useVerdicts = (repository: string, wanted: boolean) =>
  useQuery({
    queryKey: ['verdicts', repository],
    queryFn: async () => {
      const findings = await allPages<RetentionPage, Finding>(
        `${pathOf(repository)}/-/retention`,
        (page) => page.findings,
      );
      return new Map(findings.map((finding) => [finding.tag ?? finding.digest, finding]));
    },
    enabled: wanted,
    staleTime: Number.POSITIVE_INFINITY,
  });

export const useSearch = (text: string) =>
  useQuery({
    queryKey: ['search', text],
    queryFn: () => api<SearchResult>(`GET /search?q=${encodeURIComponent(text)}`),
    enabled: text.trim() !== '',
    placeholderData: (before) => before,
  });

export const deleteTags = (repository: string, tags: readonly string[], dryRun: boolean) =>
  api<TagDeletions>(`POST ${pathOf(repository)}/-/tags/delete`, { tags, dryRun });

/** Puts a tag on an image that is there; `ifDigest`: only where the tag still is on that one. */
export const putTag = (repository: string, tag: string, digest: string, ifDigest?: string) =>
  api<TagPlaced>(`PUT ${pathOf(repository)}/-/tags/${tag}`, {
    digest,
    ...(ifDigest !== undefined && { ifDigest }),
  });
