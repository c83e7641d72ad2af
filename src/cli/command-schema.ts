import type { Command } from 'commander';
import { controlSchema } from '../control/schema.ts';
import { schemaSql } from '../postgres/schema.ts';
import type { CommandContext } from './context.ts';

const examples = `
Examples:
    thaw schema --sql | psql production_db
    thaw schema --sql --api
`;

/** `thaw schema --sql`: what an administrator runs where Thaw may not create its schema itself. */
export function addSchemaCommand(program: Command, { printer }: CommandContext): void {
  program
    .command('schema')
    .summary('print the SQL of the schemas that Thaw keeps its records in')
    .description(
      'Prints the SQL that makes the schema `thaw` with the ledger, for a database where the user of Thaw may not ' +
        'create it. Elsewhere Thaw makes it on first use.',
    )
    .option('--sql', 'as SQL', true)
    .option('--api', 'the schema `thaw_api` of the control database instead: saved restores, runs and logs')
    .addHelpText('after', examples)
    .action((flags: { readonly api?: boolean }) => {
      printer.line((flags.api === true ? controlSchema.sql() : schemaSql()).trimEnd());
    });
}
