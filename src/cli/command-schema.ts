import type { Command } from 'commander';
import { ThawError } from '../contract/thaw-error.ts';
import { controlSchema } from '../control/schema.ts';
import { pitrSql } from '../postgres/pitr-sql.ts';
import { schemaSql } from '../postgres/schema.ts';
import type { CommandContext } from './context.ts';

interface SchemaFlags {
  readonly api?: boolean;
  readonly pitr?: boolean;
  readonly schema?: string;
}

const examples = `
Examples:
    thaw schema --sql | psql production_db
    thaw schema --sql --api
    thaw schema --sql --pitr | psql production_db
    thaw schema --sql --pitr --schema backup
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
    .option(
      '--pitr',
      'the tables and functions of snapshots in SQL instead (restore_table_from_snapshot and the others); may be run again',
    )
    .option('--schema <name>', 'with --pitr: the schema that they are made in (default: public)')
    .addHelpText('after', examples)
    .action((flags: SchemaFlags) => {
      printer.line(chosenSql(flags).trimEnd());
    });
}

/** @throws ThawError `ConfigInvalid` for flags that do not go together */
function chosenSql({ api, pitr, schema }: SchemaFlags): string {
  if (api === true && pitr === true) {
    throw new ThawError('ConfigInvalid', '--api and --pitr: they name two schemas', {
      hint: 'Print one after the other.',
    });
  }
  if (schema !== undefined && pitr !== true) {
    throw new ThawError(
      'ConfigInvalid',
      '--schema: only what --pitr prints may be put into a schema of any name',
      {
        hint: 'Add --pitr, or leave --schema out.',
      },
    );
  }
  if (schema === '' || schema?.includes('$$') === true) {
    throw new ThawError('ConfigInvalid', '--schema: functions cannot be made under this name', {
      hint: 'Give it a name without $$, or leave it out.',
    });
  }
  if (pitr === true) return pitrSql(schema ?? 'public');
  return api === true ? controlSchema.sql() : schemaSql();
}
