import type { Command } from 'commander';

/** What can follow one command on the command line. */
interface Place {
  /** The names that lead there: `user create`, or nothing for the program itself. */
  readonly path: string;
  /** Sub-commands, or the choices of its arguments. */
  readonly words: readonly Word[];
  readonly options: readonly Word[];
}

interface Word {
  readonly text: string;
  readonly help: string;
  /** What an option's value may be, where that is a choice. */
  readonly choices: readonly string[];
}

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

/** A script that completes the program's commands, options and choices in a shell. */
export function completionScript(shell: Shell, program: Command): string {
  const places = placesIn(program, []);
  switch (shell) {
    case 'bash':
      return bashScript(program.name(), places);
    case 'zsh':
      return zshScript(program.name(), places);
    case 'fish':
      return fishScript(program.name(), places);
  }
}

function placesIn(command: Command, path: readonly string[]): readonly Place[] {
  const help = command.createHelp();
  const commands = help.visibleCommands(command).filter((one) => one.name() !== 'help');
  const choices = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
  const words = [
    ...commands.map((one) => word(one.name(), one.description())),
    ...choices.map((choice) => word(choice, '')),
  ];
  const options = [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)].map((option) =>
    word(option.long ?? option.flags, option.description, option.argChoices),
  );
  const here = { path: path.join(' '), words, options };
  return [here, ...commands.flatMap((one) => placesIn(one, [...path, one.name()]))];
}

const word = (text: string, help: string, choices: readonly string[] = []): Word => ({ text, help, choices });

const textsOf = (words: readonly Word[]) => words.map(({ text }) => text).join(' ');

/** Options with choices, each once. */
function choosing(places: readonly Place[]): readonly Word[] {
  const options = places.flatMap((place) => place.options).filter(({ choices }) => choices.length > 0);
  return [...new Map(options.map((option) => [option.text, option])).values()];
}

const pathsOf = (places: readonly Place[]) =>
  places.filter(({ path }) => path !== '').map(({ path }) => `"${path}"`);

function bashScript(name: string, places: readonly Place[]): string {
  const cases = places.map(
    ({ path, words, options }) =>
      `    "${path}") words="${textsOf(words)}"; options="${textsOf(options)}" ;;`,
  );
  const values = choosing(places).map(
    ({ text, choices }) =>
      `    ${text}) COMPREPLY=($(compgen -W "${choices.join(' ')}" -- "$current")); return ;;`,
  );
  return `# ${name} completion for bash: source <(${name} completion bash)
_${name}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path="" words="" options="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${path:+$path }\${COMP_WORDS[i]}" in
      ${pathsOf(places).join(' | ')}) path="\${path:+$path }\${COMP_WORDS[i]}" ;;
    esac
  done
  case "\${COMP_WORDS[COMP_CWORD - 1]}" in
${values.join('\n')}
  esac
  case "$path" in
${cases.join('\n')}
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$current")) ;;
    *) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
  esac
}
complete -o default -F _${name} ${name}
`;
}

function zshScript(name: string, places: readonly Place[]): string {
  const described = (words: readonly Word[]) =>
    words.map(({ text, help }) => quote(`${text.replaceAll(':', '\\:')}:${help}`)).join(' ');
  const cases = places.map(
    ({ path, words, options }) =>
      `    "${path}")\n      found=(${described(words)})\n      options=(${described(options)})\n      ;;`,
  );
  const values = choosing(places).map(
    ({ text, choices }) => `    ${text}) compadd -- ${choices.join(' ')}; return ;;`,
  );
  return `#compdef ${name}
# ${name} completion for zsh: source <(${name} completion zsh), after compinit
_${name}() {
  local here="" i
  local -a found options
  for ((i = 2; i < CURRENT; i++)); do
    case "\${here:+$here }\${words[i]}" in
      (${pathsOf(places).join('|')}) here="\${here:+$here }\${words[i]}" ;;
    esac
  done
  case "\${words[CURRENT-1]}" in
${values.join('\n')}
  esac
  case "$here" in
${cases.join('\n')}
  esac
  if [[ "\${words[CURRENT]}" == -* ]]; then
    _describe option options
  elif (( \${#found} )); then
    _describe command found
  else
    _files
  fi
}
compdef _${name} ${name}
`;
}

function fishScript(name: string, places: readonly Place[]): string {
  const lines = places.flatMap(({ path, words, options }) => {
    const at = `complete -c ${name} -n '__${name}_at "${path}"'`;
    return [
      ...words.map(({ text, help }) => `${at} -f -a ${text} -d ${quote(help)}`),
      ...options.map(({ text, help, choices }) => {
        const values = choices.length > 0 ? ` -x -a ${quote(choices.join(' '))}` : '';
        return `${at} -l ${text.replace(/^--/, '')}${values} -d ${quote(help)}`;
      }),
    ];
  });
  return `# ${name} completion for fish: ${name} completion fish | source
function __${name}_at
  set -l here
  for word in (commandline -opc)[2..-1]
    set -l next (string join -- ' ' $here $word)
    if contains -- $next ${pathsOf(places).join(' ')}
      set here $next
    end
  end
  test "$here" = "$argv[1]"
end
${lines.join('\n')}
`;
}

/** As one word of a shell, whatever it holds. Fish wants its own escape of a quote, so there is none. */
const quote = (text: string) => `'${text.replaceAll("'", '’')}'`;
