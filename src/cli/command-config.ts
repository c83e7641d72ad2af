import type { Command } from 'commander';
import { type ConfigField, configFields, systemFields } from '../config/config-help.ts';
import type { CommandContext } from './context.ts';

const examples = `
Examples:
    thaw config                 every setting
    thaw config --json          the same for programs
    thaw config --system        every setting of system.yaml

\${VAR} and \${VAR:-default} in a value are replaced by environment variables. Settings of the archiver that
a restore does not need are passed over.`;

/** `thaw config`: every setting of `config.yaml` that Thaw reads. */
export function addConfigCommand(program: Command, { printer }: CommandContext): void {
  program
    .command('config')
    .summary('explain config.yaml and system.yaml')
    .description("Prints each setting of the archiver's config.yaml that Thaw reads, with its default.")
    .option('--system', 'those of system.yaml, which describes systems that are restored together')
    .option('--json', 'print one JSON object and nothing else')
    .addHelpText('after', examples)
    .action(({ json, system }: { readonly json?: boolean; readonly system?: boolean }) => {
      const settings = system === true ? systemFields() : configFields();
      if (json === true) printer.line(JSON.stringify({ settings }));
      else for (const line of settingLines(settings)) printer.line(line);
    });
}

/** A line with the name of each setting, and one with what it means. */
function settingLines(settings: readonly ConfigField[]): string[] {
  return settings.flatMap(({ path, description, words, fallback }) => {
    const choices = words.length === 0 ? '' : ` One of ${words.join(', ')}.`;
    const otherwise = fallback === null ? '' : ` Default: ${fallback}.`;
    return [path, `    ${description}${choices}${otherwise}`];
  });
}
