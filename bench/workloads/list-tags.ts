import { manifestOf, randomBlob } from '../content.ts';
import { type Connection, withConnection, withConnections } from '../http/connection.ts';
import { header, type Reply } from '../http/reply-parser.ts';
import { prepare, type Target } from '../http/request.ts';
import { expectReply, pushBlobByPut, pushManifest } from '../registry-calls.ts';
import type { Scale } from '../scale.ts';
import { millisecondsEach } from './figures.ts';
import type { RoundOfWork, Workload } from './workload.ts';

const REPOSITORY = 'bench/list-tags';
const BLOB_BYTES = 1000;
/** Of a name in a list, about. */
const TAG_BYTES = 10;
/** Connections that create the tags, untimed. */
const SET_UP_CONCURRENCY = 16;

/** The whole tag list of a large repository, one list after the other, pages followed where there are any. */
export function listTags({ tags, tagLists, rounds }: Scale): Workload {
  return {
    title: `list ${tags} tags`,
    figure: millisecondsEach(tagLists),
    rounds,
    demand: { sentBytes: tagLists * tags * TAG_BYTES, requests: tagLists },
    setUp: (target) => createTags(target, tags),
    makeRound: () => listRepeatedly(tags, tagLists),
  };
}

async function createTags(target: Target, count: number): Promise<void> {
  const config = randomBlob(BLOB_BYTES);
  const layer = randomBlob(BLOB_BYTES);
  const manifest = manifestOf(config, [layer], 'one manifest, many tags');
  await withConnection(target, async (connection) => {
    await pushBlobByPut({ target, connection, repository: REPOSITORY }, config);
    await pushBlobByPut({ target, connection, repository: REPOSITORY }, layer);
  });
  const tags = Array.from({ length: count }, (_, n) => `v1.${n}`).values();
  await withConnections(target, SET_UP_CONCURRENCY, (connections) =>
    Promise.all(
      connections.map(async (connection) => {
        for (const tag of tags) {
          await pushManifest({ target, connection, repository: REPOSITORY }, tag, manifest);
        }
      }),
    ),
  );
}

function listRepeatedly(tags: number, times: number): RoundOfWork {
  return (target, measure) =>
    withConnection(target, async (connection) => {
      let pages: Reply[] = [];
      await measure(async () => {
        for (let n = 0; n < times; n++) {
          pages = await listAll(target, connection);
        }
      });
      const seen = new Set(pages.flatMap(tagsOf));
      if (seen.size !== tags) {
        throw new Error(`listed ${seen.size} tags of ${tags}`);
      }
    });
}

async function listAll(target: Target, connection: Connection): Promise<Reply[]> {
  const pages: Reply[] = [];
  let path: string | undefined = `/v2/${REPOSITORY}/tags/list`;
  while (path !== undefined) {
    const page = await expectReply(connection, prepare(target, { method: 'GET', path, keep: true }), 200);
    pages.push(page);
    path = nextPage(page, path);
  }
  return pages;
}

/** What `Link: <url>; rel="next"` points to, if there is one. */
function nextPage(page: Reply, path: string): string | undefined {
  const link = /<([^>]+)>; *rel="?next"?/.exec(header(page, 'link') ?? '')?.[1];
  if (link === undefined) {
    return undefined;
  }
  const { pathname, search } = new URL(link, `http://registry${path}`);
  return `${pathname}${search}`;
}

function tagsOf(page: Reply): string[] {
  const { tags } = JSON.parse(page.body.toString()) as { tags: string[] };
  return tags;
}
