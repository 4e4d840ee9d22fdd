import { describe, expect, it } from 'vitest';
import { explore, type Outcome } from './explorer.ts';
import type { Omission } from './protocol.ts';
import { LARGE, OF_BLOBS, OF_MANIFESTS } from './scenarios.ts';
import { modelOf } from './start.ts';
import { tableOf } from './timeline.ts';

const SCENARIOS = { ...OF_BLOBS, ...OF_MANIFESTS, ...LARGE };
type ScenarioName = keyof typeof SCENARIOS;

const LACKS_BLOB = 'a manifest lacks a blob';
const LACKS_CHILD = 'an index lacks a child';
const TAG_ALONE = 'a tag is on a manifest that is not there';
const REFUSED = 'a push is refused although its lease holds';

const PUSH_AND_DELETE = 'a push, a delete of its blob, and two sweeps that read edges first';
const TWO_AND_DELETE = 'two pushes of an image, and a delete of its blob';
const MISSING = 'two pushes of an image whose blob is missing, of whom one uploads it, and a delete of it';
const MANY_MISSING =
  'two pushes of an image of very many blobs that are missing, of whom one uploads them, and a delete';
const TWO_PUSHES = 'two pushes of images that share a blob, and two sweeps';
const TWO_APART = 'two pushes of an image of very many blobs, and two sweeps';
const PAGES = 'a push of an image of two blobs, and two sweeps page by page';
const GOES_ON = 'a push of an image of two blobs, a sweep that goes on, and two that die as they begin';
const MOUNT = 'a push that mounts, and a sweep of either repository';
const MOUNT_AND_DELETE =
  'a push that mounts a blob whose source is deleted, and a sweep of either repository';
const INDEX_AND_DELETES = 'a push of an index, and two deletes of its child';
const INDEX_AND_RETENTION = 'a push of an index whose child retention removes, and two sweeps';
const RESTORE = 'a restore as the quarantine ends, and two sweeps';
const TWO_DELETES = 'two deletes of an image, a restore between them, and a sweep';
const RETENTION = 'two pushes of an image that retention removes, and a sweep';
const TAG_AND_RETENTION = 'a push that tags an image which retention removes, and two sweeps';
const MANY_TAGS = 'a delete of an image with many tags, one of which moves away and back';

/** What is left out, where that is seen, and what becomes of it. */
const CASES: Record<Omission, readonly [ScenarioName, string]> = {
  'a push commits in whatever epoch': [PAGES, LACKS_BLOB],
  'a push commits two epochs late': [PAGES, LACKS_BLOB],
  'a push commits without its intent': [TWO_AND_DELETE, LACKS_BLOB],
  'a push commits on the intent of another push': [TWO_AND_DELETE, LACKS_BLOB],
  'a push commits on an intent of another epoch': [TWO_APART, LACKS_BLOB],
  'a push does not touch': [PAGES, LACKS_BLOB],
  'a push lowers what others have touched': [TWO_PUSHES, REFUSED],
  'a push writes its edges after its commit': [PAGES, LACKS_BLOB],
  'a push looks for what it uses before it writes its edges': [TWO_AND_DELETE, LACKS_BLOB],
  'a push leaves marks on what it uses': [TWO_AND_DELETE, LACKS_BLOB],
  'a push leaves the mark on its manifest': [MANY_TAGS, TAG_ALONE],
  'a refused push takes its edges back and stays under way': [MISSING, LACKS_BLOB],
  'a refused push takes its edges back whoever has ended it': [MISSING, LACKS_BLOB],
  'a refused push of very many edges keeps its name while they go': [MANY_MISSING, LACKS_BLOB],
  'a push takes whatever object a manifest has': [
    RETENTION,
    'a tag names an object that its manifest has not',
  ],
  'HEAD does not touch': [PUSH_AND_DELETE, REFUSED],
  'HEAD of a manifest does not touch': [INDEX_AND_RETENTION, REFUSED],
  'a mount does not touch': [MOUNT, REFUSED],
  'a mount counts without looking': [MOUNT_AND_DELETE, 'an object is freed that a repository links'],
  'a blob is deleted whoever has taken its mark off': [TWO_AND_DELETE, LACKS_BLOB],
  'a blob is deleted without another look once it is marked': [TWO_AND_DELETE, LACKS_BLOB],
  'a blob is deleted and pushes of what uses it are not ended': [TWO_AND_DELETE, LACKS_BLOB],
  'a delete looks for manifests first and pushes second': [TWO_AND_DELETE, LACKS_BLOB],
  'a manifest is deleted whoever has taken its mark off': [INDEX_AND_DELETES, LACKS_CHILD],
  'a manifest is deleted and pushes of what lists it are not ended': [INDEX_AND_DELETES, LACKS_CHILD],
  'tags beyond twenty go whoever has taken the mark off': [MANY_TAGS, TAG_ALONE],
  'the sweep takes what was touched an epoch ago': [PUSH_AND_DELETE, REFUSED],
  'the sweep reads which manifests are there before it raises the epoch': [PAGES, LACKS_BLOB],
  'the sweep ends pushes once it has removed what is old': [PAGES, LACKS_BLOB],
  'the sweep ends pushes only where it begins anew': [GOES_ON, LACKS_BLOB],
  'the sweep removes links whoever has touched them': [PUSH_AND_DELETE, REFUSED],
  'the sweep removes edges whoever has touched them': [RESTORE, LACKS_BLOB],
  'the sweep lets young edges hold nothing': [PAGES, LACKS_BLOB],
  'the last link goes without a look at the others': [
    MOUNT_AND_DELETE,
    'an object is freed that a repository links',
  ],
  'graves hold nothing': [RESTORE, 'a grave lacks what it would take to restore it'],
  'graves are looked for before manifests': [TWO_DELETES, 'a grave lacks what it would take to restore it'],
  'a grave goes whatever lies in it now': [TWO_DELETES, 'a grave goes before its time'],
  'a grave is dug over another': [TWO_DELETES, 'two sweeps leave the object of a manifest'],
  'a restore is no push': [RESTORE, LACKS_BLOB],
  'retention removes whatever was touched': [INDEX_AND_RETENTION, REFUSED],
  'retention removes whoever has taken the mark off': [TAG_AND_RETENTION, TAG_ALONE],
  'retention does not look for tags once it has marked': [TAG_AND_RETENTION, TAG_ALONE],
};

/** The shortest way to what goes wrong. */
const found = new Map<Omission, Outcome>();

describe('the search', () => {
  it.each(Object.entries(CASES) as [Omission, (typeof CASES)[Omission]][])(
    'finds out where %s',
    (omission, [scenario, violation]) => {
      const outcome = explore(modelOf(SCENARIOS[scenario], omission));
      found.set(omission, outcome);
      expect(outcome.violation).toContain(violation);
    },
    120_000,
  );

  it('tells the shortest timeline of each, as they stand in timelines.md', async () => {
    const sections = [...found].map(([omission, { violation, timeline }]) => {
      const [scenario] = CASES[omission];
      return `## Where ${omission}\n\nIn ${scenario}, after ${timeline.length} steps: ${violation}.\n\n${tableOf(timeline)}\n`;
    });
    expect(sections).toHaveLength(Object.keys(CASES).length);
    const title =
      '# What goes wrong where a part of the protocol is left out\n\nWritten by `npx vitest run test/model --update`.\n';
    await expect([title, ...sections].join('\n')).toMatchFileSnapshot('timelines.md');
  });
});
