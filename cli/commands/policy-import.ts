import { type Command, Option } from 'commander';
import { misuse } from '../failure.ts';
import { readJson } from '../json-file.ts';
import { Output } from '../output.ts';
import { importEcr } from '../policy-import/ecr.ts';
import { importGar } from '../policy-import/gar.ts';
import { importHarbor } from '../policy-import/harbor.ts';
import { type Imported, objectAt, type Target } from '../policy-import/imported.ts';

const SOURCES: Readonly<Record<string, (content: unknown, target: Target) => Imported>> = {
  ecr: (content, target) => importEcr(objectAt(content, 'the file'), target),
  harbor: (content, target) => importHarbor(objectAt(content, 'the file'), target),
  gar: importGar,
};

export function addPolicyImport(policy: Command): void {
  policy
    .command('import <file>')
    .description("print policies that do what another registry's rules do, for set; nothing is changed")
    .addOption(
      new Option('--from <registry>', 'whose rules they are')
        .choices(Object.keys(SOURCES))
        .makeOptionMandatory(),
    )
    .option('--name <name>', 'what the policy is called', 'imported')
    .option('--repositories <pattern...>', 'what it covers: a project of Harbor is team-a/*', ['*'])
    .addHelpText('after', HELP)
    .action(printImported);
}

const HELP = `
  ecr     a lifecycle policy, or what aws ecr get-lifecycle-policy prints
  harbor  the retention of a project: GET /api/v2.0/retentions/<id>
  gar     the file of gcloud artifacts repositories set-cleanup-policies
What cannot be said is refused; what is not quite the same is told on standard error. A file of - is standard input.`;

interface Options {
  readonly from: string;
  readonly name: string;
  readonly repositories: readonly string[];
}

function printImported(file: string, { from, name, repositories }: Options): void {
  const source = SOURCES[from];
  if (!source) throw misuse(`nothing is known of ${from}`);
  const { policies, notes } = source(
    readJson(file, { holds: 'policies of theirs', advice: 'stowage policy import --help says which' }),
    { name, repositories },
  );
  const output = new Output({ json: true });
  for (const note of notes) output.say(note);
  output.result({ policies }, () => '');
}
