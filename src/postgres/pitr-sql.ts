import { quoteIdentifier, quoteLiteral } from './identifier.ts';
import { pitrForeignKeyFunctions } from './pitr-foreign-keys.ts';
import { pitrMergeFunction } from './pitr-merge.ts';
import { pitrReplayFunctions } from './pitr-replay.ts';
import { pitrRollbackFunctions } from './pitr-rollback.ts';
import { pitrSnapshotFunctions } from './pitr-snapshots.ts';
import { pitrTableSteps } from './pitr-table-steps.ts';
import { pitrTables } from './pitr-tables.ts';

/**
 * Tables and functions of the snapshot document, for those who take and restore snapshots from SQL. May be run
 * again, and over an older installation: rows are kept, and functions replaced by these.
 *
 * @throws RangeError when the schema is no name that PostgreSQL can store, or would end the bodies of functions
 */
export function pitrSql(schema: string): string {
  const s = quoteIdentifier(schema);
  if (schema.includes('$$')) throw new RangeError('A name in the body of a function does not hold $$.');
  return `-- Snapshots of a tenant's rows, and the functions that bring them back. May be run again.
begin;
set local client_min_messages = warning;
-- \`create schema if not exists\` needs the right to create even where there is nothing to create.
do $$ begin
  if to_regnamespace(${quoteLiteral(s)}) is null then create schema ${s}; end if;
end $$;

${pitrTables(s)}

${pitrForeignKeyFunctions(s, schema)}

${pitrTableSteps(s)}

${pitrMergeFunction(s)}

${pitrSnapshotFunctions(s)}

${pitrRollbackFunctions(s)}

${pitrReplayFunctions(s)}

commit;
`;
}
