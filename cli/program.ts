import { Command, Help } from 'commander';
import { addAdminCommands } from './commands/admin.ts';
import { addAuditCommand } from './commands/audit.ts';
import { addBackupCommand } from './commands/backup.ts';
import { addCompletionCommand } from './commands/completion.ts';
import { addCostCommand } from './commands/cost.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addGrantCommands } from './commands/grants.ts';
import { addGroupCommands } from './commands/groups.ts';
import { addImageCommands } from './commands/images.ts';
import { addIssuerCommands } from './commands/issuers.ts';
import { addLoginCommands } from './commands/login.ts';
import { addPolicyCommands } from './commands/policies.ts';
import { addProxyCommand } from './commands/proxy.ts';
import { addPushCommand } from './commands/push.ts';
import { addQuotaCommand } from './commands/quotas.ts';
import { addRepositoryCommands } from './commands/repositories.ts';
import { addRestoreCommand } from './commands/restore.ts';
import { addRetentionCommand } from './commands/retention.ts';
import { addRobotCommands } from './commands/robots.ts';
import { addScanCommand } from './commands/scan.ts';
import { addSearchCommand } from './commands/search.ts';
import { addServeCommand } from './commands/serve.ts';
import { addSweepCommand } from './commands/sweep.ts';
import { addTagCommands } from './commands/tags.ts';
import { addTokenCommands } from './commands/tokens.ts';
import { addTrashCommands } from './commands/trash.ts';
import { addUserCommands } from './commands/users.ts';
import { version } from './exchange.ts';

const EXAMPLES = `
Start a registry and log in to it:
  stowage serve
  stowage login http://127.0.0.1:5000

In CI, without a login: STOWAGE_REGISTRY, STOWAGE_USERNAME (such as robot/ci) and STOWAGE_TOKEN (its secret).`;

/** Nearly every command has options: to say so in the list of commands takes room from what they are for. */
const subcommandTerm = (command: Command) =>
  new Help().subcommandTerm(command).replace(/ \[options\](?= |$)/, '');

/** The whole command line, whose actions throw `Failure` and commander's errors. */
export function createProgram(): Command {
  const program = new Command('stowage')
    .description('A container registry in your own AWS account, or on one machine.')
    .version(version)
    .option(
      '--registry <url>',
      'the registry this is about (default: STOWAGE_REGISTRY, or the current login)',
    )
    .option('--json', "print the API's JSON")
    .option('--ca <file>', "trust this CA, or the registry's own certificate, besides the usual (PEM)")
    .addHelpText('after', EXAMPLES)
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: true, subcommandTerm })
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'stowage: ')) });
  addServeCommand(program);
  addLoginCommands(program);
  addPushCommand(program);
  addProxyCommand(program);
  addUserCommands(program);
  addTokenCommands(program);
  addRobotCommands(program);
  addGroupCommands(program);
  addGrantCommands(program);
  addIssuerCommands(program);
  addRepositoryCommands(program);
  addTagCommands(program);
  addImageCommands(program);
  addSearchCommand(program);
  addSweepCommand(program);
  addBackupCommand(program);
  addScanCommand(program);
  addRestoreCommand(program);
  addTrashCommands(program);
  addRetentionCommand(program);
  addPolicyCommands(program);
  addQuotaCommand(program);
  addAuditCommand(program);
  addAdminCommands(program);
  addDoctorCommand(program);
  addCostCommand(program);
  addCompletionCommand(program);
  return program;
}
