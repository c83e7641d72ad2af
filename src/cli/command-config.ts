import type { Command } from 'commander';
import { configFields } from '../config/config-help.ts';
import type { CommandContext } from './context.ts';

const examples = `
Examples:
    thaw config                 every setting
    thaw config --json          the same for programs

\${VAR} and \${VAR:-default} in a value are replaced by environment variables. Settings of the archiver that
a restore does not need are passed over.`;

/** `thaw config`: every setting of `config.yaml` that Thaw reads. */
export function addConfigCommand(program: Command, { printer }: CommandContext): void {
  program
    .command('config')
    .summary('explain config.yaml')
    .description("Prints each setting of the archiver's config.yaml that Thaw reads, with its default.")
    .option('--json', 'print one JSON object and nothing else')
    .addHelpText('after', examples)
    .action(({ json }: { readonly json?: boolean }) => {
      if (json === true) printer.line(JSON.stringify({ settings: configFields() }));
      else for (const line of settingLines()) printer.line(line);
    });
}

/** A line with the name of each setting, and one with what it means. */
function settingLines(): string[] {
  return configFields().flatMap(({ path, description, words, fallback }) => {
    const choices = words.length === 0 ? '' : ` One of ${words.join(', ')}.`;
    const otherwise = fallback === null ? '' : ` Default: ${fallback}.`;
    return [path, `    ${description}${choices}${otherwise}`];
  });
}
