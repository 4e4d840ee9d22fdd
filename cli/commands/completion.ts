import { Argument, type Command } from 'commander';
import { completionScript, SHELLS } from '../completion.ts';

const HELP = `
bash:  stowage completion bash > ~/.local/share/bash-completion/completions/stowage
zsh:   stowage completion zsh > a file _stowage in a directory of $fpath
fish:  stowage completion fish > ~/.config/fish/completions/stowage.fish`;

export function addCompletionCommand(program: Command): void {
  program
    .command('completion')
    .description('print a script for completion in your shell')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .addHelpText('after', HELP)
    .action((shell: (typeof SHELLS)[number]) => {
      process.stdout.write(completionScript(shell, program));
    });
}
