import { createHash } from 'node:crypto';
import type { Digest } from '../oci/digest.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import type { ObjectKey } from '../storage/blob-store.ts';
import type { Item, Key } from '../storage/table.ts';

// Every item of the registry. What each holds is told in docs/data-model.md.
//
//   partition        sort key                item
//   R#<name>         #                       repository
//                    B#<digest>              blob link: makes a blob readable in this repository
//                    E#<target>#<manifest>   reference edge: this manifest uses that blob or manifest
//                    G#<digest>              grave: a manifest that was deleted and may be brought back
//                    H#<tag>#<time>#<id>     tag history
//                    I#<digest>#<tag>        tag index: this tag was once put on that manifest
//                    J#<subject>#<digest>    grave of a referrer: how those of a subject are found
//                    K#                      which policies may act here, and what they wait for
//                    M#<digest>              manifest
//                    N#<shard>               names of tags: all that a list needs
//                    O#<digest>              hold: what somebody keeps from retention, and why
//                    P#<tag or digest>       when that was last pulled
//                    Q#                      usage: what quotas have counted here
//                    S#<subject>#<digest>    referrer
//                    T#<tag>                 tag
//                    W#<id>                  hold: bytes in the store that are no blob or manifest yet, for quotas
//                    Y#<digest>              push of a manifest that is under way
//                    Z#                      how far the sweep that is under way has come
//   REPOSITORIES     <name>                  directory entry
//   SWEEPS           <due>#<name>            repository that is to be swept, not before `due`
//   POLICIES         #                       policies: retention, immutable tags, quotas, sparse indexes
//                    C#<policy>              that a policy was confirmed
//                    R#                      which version of them repositories rest by
//   WAITING          <policy>#<name>         repository where a policy waits for that
//   PREVIEW#<id>     #<page>                 what policies would delete: where a page of it begins
//   QUOTAS           <policy>                usage of a quota that several repositories share
//   DOWNLOADS#<day>#<policy>  <whom>         bytes of the day that processes have taken of a limit
//   TRAFFIC#<month>#<shard>   <R or P>#<name> downloads of a repository or a principal
//   D#<digest>       #                       digest: where the bytes are, how many repositories link them
//                    L#<name>                one of those repositories
//   U#<id>           #                       upload session
//   V#<caller>       U#<name>#<due>#<id>     one that is open, by a hash of whoever opened it
//   X#<shard>        <due>#<object key>      outbox: an object to delete, not before `due`
//   P#<subject>      #                       user, robot or group: `user:alice`
//                    K#<id>                  access token of a user
//                    M#<user>                member of a group
//   SUBJECTS         <subject>               directory of users, robots and groups
//   ISSUERS          <name>                  OIDC issuer whose tokens are accepted
//   C#<id>           #                       refresh token
//   L#<whom>         <window>                failed logins, of a user, from an address, or both
//   L#seen:<user>    from:<network>          network that the user has logged in from, by password
//   AUDIT#<day>      <time>#<id>             audit trail
//   KEYS             #                       signing keys, where no secret store keeps them
//   REGISTRY         #                       which registry this is, where its bytes lie in a directory
//   CLOCK            #                       the last time that is certain, where the host watches its clock
//   HOST             <instance>              stream host that sleeps: its state, its lease, its last sign of life

const DIRECTORY = 'REPOSITORIES';

const repositoryPartition = (name: RepositoryName) => `R#${name}`;
const digestPartition = (digest: Digest) => `D#${digest}`;

const inRepository = (name: RepositoryName, sort: string): Key => ({
  partition: repositoryPartition(name),
  sort,
});

export const repositoryKey = (name: RepositoryName) => inRepository(name, '#');
export const blobKey = (name: RepositoryName, digest: Digest) => inRepository(name, `B#${digest}`);
export const manifestKey = (name: RepositoryName, digest: Digest) => inRepository(name, `M#${digest}`);
export const tagKey = (name: RepositoryName, tag: Tag) => inRepository(name, `T#${tag}`);
export const tagIndexKey = (name: RepositoryName, digest: Digest, tag: Tag) =>
  inRepository(name, `I#${digest}#${tag}`);
export const tagNamesKey = (name: RepositoryName, shard: string) => inRepository(name, `N#${shard}`);
export const historyKey = (name: RepositoryName, tag: Tag, milliseconds: number, id: string) =>
  inRepository(name, `H#${tag}#${timestamp(milliseconds)}#${id}`);
export const edgeKey = (name: RepositoryName, target: Digest, manifest: Digest) =>
  inRepository(name, `E#${target}#${manifest}`);
export const pushKey = (name: RepositoryName, digest: Digest) => inRepository(name, `Y#${digest}`);
export const graveKey = (name: RepositoryName, digest: Digest) => inRepository(name, `G#${digest}`);
export const buriedReferrerKey = (name: RepositoryName, subject: Digest, digest: Digest) =>
  inRepository(name, `J#${subject}#${digest}`);
export const pullKey = (name: RepositoryName, reference: Tag | Digest) =>
  inRepository(name, `P#${reference}`);
export const consentKey = (name: RepositoryName) => inRepository(name, 'K#');
export const usageKey = (name: RepositoryName) => inRepository(name, 'Q#');
export const sweepProgressKey = (name: RepositoryName) => inRepository(name, 'Z#');
export const referrerKey = (name: RepositoryName, subject: Digest, digest: Digest) =>
  inRepository(name, `S#${subject}#${digest}`);
export const retentionHoldKey = (name: RepositoryName, digest: Digest) => inRepository(name, `O#${digest}`);
export const holdKey = (name: RepositoryName, id: string) => inRepository(name, `W#${id}`);
export const uploadEntryKey = (
  name: RepositoryName,
  caller: string | undefined,
  due: number,
  id: string,
): Key => ({ partition: callerPartition(caller), sort: `U#${name}#${timestamp(due)}#${id}` });

export const directoryKey = (name: RepositoryName): Key => ({ partition: DIRECTORY, sort: name });
export const digestKey = (digest: Digest): Key => ({ partition: digestPartition(digest), sort: '#' });
export const linkerKey = (digest: Digest, name: RepositoryName): Key => ({
  partition: digestPartition(digest),
  sort: `L#${name}`,
});
export const uploadKey = (id: string): Key => ({ partition: `U#${id}`, sort: '#' });

/** Shards spread the outbox over DynamoDB's partitions; object keys end in random hex digits. */
export const OUTBOX_SHARDS = [...'0123456789abcdef'];

const outboxPartition = (shard: string) => `X#${shard}`;

export const outboxKey = (objectKey: ObjectKey, dueMilliseconds: number): Key => ({
  partition: outboxPartition(objectKey.slice(-1)),
  sort: `${timestamp(dueMilliseconds)}#${objectKey}`,
});

/** Ranges for `Table.query`; each `…In` reads back what the key was made of. */
export const tagsOf = (name: RepositoryName) => ({ partition: repositoryPartition(name), prefix: 'T#' });
export const tagsBeginning = (name: RepositoryName, text: string) => ({
  partition: repositoryPartition(name),
  prefix: `T#${text}`,
});
export const afterTag = (tag: string) => `T#${tag}`;
export const tagIn = ({ key }: Item) => key.sort.slice('T#'.length) as Tag;

export const tagNamesOf = (name: RepositoryName) => ({
  partition: repositoryPartition(name),
  prefix: 'N#',
});

export const historyOf = (name: RepositoryName, tag: Tag) => ({
  partition: repositoryPartition(name),
  prefix: `H#${tag}#`,
});
/** Between the moves of a tag until `milliseconds` and those after it; behind all moves of a tag. */
export const afterMovesUntil = (tag: Tag, milliseconds: number) => `H#${tag}#${timestamp(milliseconds)}$`;
export const afterHistoryOf = (tag: string) => `H#${tag}$`;
export const historiesOf = (name: RepositoryName) => ({
  partition: repositoryPartition(name),
  prefix: 'H#',
});
export const movedTagIn = ({ key }: Item) => key.sort.split('#')[1] as Tag;
/** When the tag was moved, as the sort key of a history item says. */
export const movedAtIn = ({ key }: Item) => key.sort.split('#')[2] ?? '';

export const manifestsOf = (name: RepositoryName) => ({
  partition: repositoryPartition(name),
  prefix: 'M#',
});
export const blobsOf = (name: RepositoryName) => ({ partition: repositoryPartition(name), prefix: 'B#' });
/** What hangs on manifests and is of no use without them: tag index, referrers, and their graves. What stands behind the
 *  last or the first `#` says which. */
export const tagIndexesOf = (name: RepositoryName) => ({
  partition: repositoryPartition(name),
  prefix: 'I#',
});
/** Before and past all entries of a manifest. */
export const beforeTagIndexOf = (digest: Digest) => `I#${digest}#`;
export const afterTagIndexOf = (digest: Digest) => `I#${digest}$`;
export const allReferrersOf = (name: RepositoryName) => ({
  partition: repositoryPartition(name),
  prefix: 'S#',
});
/** What is left of what a repository had, and harms nobody: graves of referrers, history, holds, pulls, and what quotas and a
 *  sweep have noted. */
export const remaindersOf = (name: RepositoryName) =>
  ['J#', 'H#', 'K#', 'O#', 'P#', 'Q#', 'Z#'].map((prefix) => ({
    partition: repositoryPartition(name),
    prefix,
  }));

export const repositories = { partition: DIRECTORY };
export const repositoriesBeginning = (text: string) => ({ partition: DIRECTORY, prefix: text });
export const repositoryIn = ({ key }: Item) => key.sort as RepositoryName;

export const tagIndexOf = (name: RepositoryName, digest: Digest) => ({
  partition: repositoryPartition(name),
  prefix: `I#${digest}#`,
});
export const edgesTo = (name: RepositoryName, target: Digest) => ({
  partition: repositoryPartition(name),
  prefix: `E#${target}#`,
});
export const referrersOf = (name: RepositoryName, subject: Digest) => ({
  partition: repositoryPartition(name),
  prefix: `S#${subject}#`,
});
export const afterReferrer = (subject: Digest, digest: Digest) => `S#${subject}#${digest}`;

export const retentionHoldsOf = (name: RepositoryName) => ({
  partition: repositoryPartition(name),
  prefix: 'O#',
});
export const holdsOf = (name: RepositoryName) => ({ partition: repositoryPartition(name), prefix: 'W#' });
export const uploadsOf = (name: RepositoryName, caller: string | undefined) => ({
  partition: callerPartition(caller),
  prefix: `U#${name}#`,
});
/** All that a caller has open, in any repository. */
export const uploadsBy = (caller: string | undefined) => ({ partition: callerPartition(caller) });
/** Milliseconds. */
export const uploadDueIn = ({ key }: Item) => Date.parse(key.sort.split('#')[2] ?? '');

/** The name of a caller may be longer than a key, and may contain anything. */
function callerPartition(caller = ''): string {
  return `V#${createHash('sha256').update(caller).digest('base64url').slice(0, 22)}`;
}

/** All items of a repository, and of what kind one is: `T` for a tag. */
export const everythingIn = (name: RepositoryName) => ({ partition: repositoryPartition(name) });
export const kindOf = ({ key }: Item) => key.sort.slice(0, key.sort.indexOf('#'));

const SWEEPS = 'SWEEPS';

export const sweepEntryKey = (name: RepositoryName, due: number): Key => ({
  partition: SWEEPS,
  sort: `${timestamp(due)}#${name}`,
});
/** Repositories to sweep, the longest due first. */
export const sweeps = { partition: SWEEPS };
export const sweptRepositoryIn = ({ key }: Item) =>
  key.sort.slice(key.sort.indexOf('#') + 1) as RepositoryName;

export const policiesKey: Key = { partition: 'POLICIES', sort: '#' };
/** Which of their versions the repositories rest by. */
export const restingKey: Key = { partition: 'POLICIES', sort: 'R#' };
export const confirmationKey = (policy: string): Key => ({ partition: 'POLICIES', sort: `C#${policy}` });

const WAITING = 'WAITING';

export const waitingKey = (policy: string, name: RepositoryName): Key => ({
  partition: WAITING,
  sort: `${policy}#${name}`,
});
/** Repositories where a policy waits to be confirmed; of all policies, or of one. */
export const waitingFor = (policy?: string) => ({
  partition: WAITING,
  ...(policy !== undefined && { prefix: `${policy}#` }),
});
export const waitingIn = ({ key }: Item) => {
  const [policy = '', name = ''] = key.sort.split('#');
  return { policy, repository: name as RepositoryName };
};
export const previewKey = (id: string, page: number): Key => ({
  partition: `PREVIEW#${id}`,
  sort: `#${page}`,
});
export const downloadsKey = (day: number, policy: string, whom: string): Key => ({
  partition: `DOWNLOADS#${day}#${policy}`,
  sort: whom,
});
const trafficPartition = (month: string, shard: number) => `TRAFFIC#${month}#${shard}`;
export const trafficKey = (month: string, shard: number, kind: 'R' | 'P', name: string): Key => ({
  partition: trafficPartition(month, shard),
  sort: `${kind}#${name}`,
});
export const trafficOf = (month: string, shard: number) => ({ partition: trafficPartition(month, shard) });
export const trafficEntryIn = ({ key }: Item) => ({
  kind: key.sort.slice(0, 1) as 'R' | 'P',
  name: key.sort.slice('R#'.length),
});
export const sharedUsageKey = (policy: string): Key => ({ partition: 'QUOTAS', sort: policy });

export const buriedReferrersOf = (name: RepositoryName, subject: Digest) => ({
  partition: repositoryPartition(name),
  prefix: `J#${subject}#`,
});
export const gravesOf = (name: RepositoryName) => ({ partition: repositoryPartition(name), prefix: 'G#' });
export const edgesOf = (name: RepositoryName) => ({ partition: repositoryPartition(name), prefix: 'E#' });
/** Pushes under way. */
export const pushesOf = (name: RepositoryName) => ({ partition: repositoryPartition(name), prefix: 'Y#' });
/** Past all edges to `target`; past its link. */
export const afterEdgesTo = (target: Digest) => `E#${target}$`;
export const afterBlob = (digest: Digest) => `B#${digest}`;
export const afterGrave = (digest: Digest) => `G#${digest}`;
export const afterManifest = (digest: Digest) => `M#${digest}`;
/** What an edge points at, of which `lastPartOf` is the manifest that it comes from; the manifest of an entry of the tag index. */
export const targetOf = ({ key }: Item) => key.sort.split('#')[1] as Digest;

export const linkersOf = (digest: Digest) => ({ partition: digestPartition(digest), prefix: 'L#' });
export const linkerIn = ({ key }: Item) => key.sort.slice('L#'.length) as RepositoryName;

export const outbox = (shard: string) => ({ partition: outboxPartition(shard) });
/** Whether an item of the outbox or of the sweeps is due; the sort key begins with the time. */
export const isDue = ({ key }: Item, milliseconds: number) => key.sort < `${timestamp(milliseconds)}$`;

/** Whether it is due only after that moment. */
export const isDueAfter = ({ key }: Item, milliseconds: number) => key.sort > `${timestamp(milliseconds)}$`;

/** What stands behind the last `#`: the manifest of an edge, the digest of a referrer, the tag of an index. */
export const lastPartOf = ({ key }: Item) => key.sort.slice(key.sort.lastIndexOf('#') + 1);

/** Text that sorts as time does. */
function timestamp(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

const SUBJECTS = 'SUBJECTS';
const ISSUERS = 'ISSUERS';

const subjectPartition = (subject: string) => `P#${subject}`;

export const subjectKey = (subject: string): Key => ({ partition: subjectPartition(subject), sort: '#' });
export const tokenKey = (subject: string, id: string): Key => ({
  partition: subjectPartition(subject),
  sort: `K#${id}`,
});
export const sessionKey = (subject: string, id: string): Key => ({
  partition: subjectPartition(subject),
  sort: `S#${id}`,
});
export const memberKey = (group: string, user: string): Key => ({
  partition: subjectPartition(group),
  sort: `M#${user}`,
});
export const subjectEntryKey = (subject: string): Key => ({ partition: SUBJECTS, sort: subject });
export const issuerKey = (name: string): Key => ({ partition: ISSUERS, sort: name });
export const refreshTokenKey = (id: string): Key => ({ partition: `C#${id}`, sort: '#' });
export const attemptsKey = (whom: string, window: number): Key => ({
  partition: `L#${whom}`,
  sort: timestamp(window),
});
export const familiarKey = (user: string, network: string): Key => ({
  partition: `L#seen:${user}`,
  sort: `from:${network}`,
});
export const auditKey = (milliseconds: number, id: string): Key => ({
  partition: auditPartition(milliseconds),
  sort: `${timestamp(milliseconds)}#${id}`,
});
export const signingKeysKey: Key = { partition: 'KEYS', sort: '#' };
export const registryIdKey: Key = { partition: 'REGISTRY', sort: '#' };
export const clockKey: Key = { partition: 'CLOCK', sort: '#' };
export const streamHostKey = (instance: string): Key => ({ partition: 'HOST', sort: instance });

/** Days spread the trail over DynamoDB's partitions, and a query over one day over few items. */
const auditPartition = (milliseconds: number) => `AUDIT#${timestamp(milliseconds).slice(0, 10)}`;

export const tokensOf = (subject: string) => ({ partition: subjectPartition(subject), prefix: 'K#' });
export const sessionsOf = (subject: string) => ({ partition: subjectPartition(subject), prefix: 'S#' });
export const membersOf = (group: string) => ({ partition: subjectPartition(group), prefix: 'M#' });
/** What stands behind the first `#`: the id of a token, the user of a member entry. */
export const entryIn = ({ key }: Item) => key.sort.slice(key.sort.indexOf('#') + 1);
export const subjects = (prefix: string) => ({ partition: SUBJECTS, prefix });
export const subjectIn = ({ key }: Item) => key.sort;
export const issuers = { partition: ISSUERS };
export const issuerIn = ({ key }: Item) => key.sort;
export const auditOf = (day: number) => ({ partition: auditPartition(day) });
export const auditSort = (milliseconds: number) => timestamp(milliseconds);
