import { z } from 'zod';
import { type FieldNaming, fieldError, must, parseInput } from '../../client/restore-input.ts';
import { schemaStrategies } from '../../contract/restore-request.ts';
import { snapshotStrategies } from '../../contract/snapshot.ts';
import { tablesField, whereField } from '../snapshot-input.ts';

const text = z
  .string(must('must be text'))
  .min(1, 'must not be empty')
  .max(1000, 'must have at most 1000 characters');
const flag = z.boolean(must('must be true or false'));

function oneOf<const T extends readonly string[]>(words: T) {
  return z.enum(words, must(`must be ${words.slice(0, -1).join(', ')} or ${words.at(-1)}`));
}

/** Which snapshot. */
export const snapshotRef = text.describe(
  'Id of a snapshot, a UUID of backup_pitr_snapshots, or the key of a {tenant}/{job}-backup.json.',
);

/** What becomes of rows; without it the tables become what the snapshot holds. */
export const snapshotStrategy = oneOf(snapshotStrategies)
  .default('overwrite')
  .describe('As the snapshot has them, the newer row wins, or marked differences alone.');

/** What of a snapshot is meant, by the names of the flags of `thaw snapshot restore`. */
export const snapshotChoice = {
  database: text.optional().describe('As configured; default: the only one.'),
  tables: tablesField
    .optional()
    .describe("Default: all of the snapshot. `table` of the token's schema, `schema.table`, or an object."),
  where: whereField
    .optional()
    .describe("Only rows with this value. Without root: always the tenant's own rows."),
  newer_by: text.optional().describe('Of merge: the column by which the newer row wins.'),
  schema_migration_strategy: oneOf(schemaStrategies)
    .default('strict')
    .describe(
      'What becomes of columns that only one side has, or that have another type: strict and none refuse them; under lenient each side keeps its own columns, and types may have changed where no value comes back as another one; under transform types may have changed in any way.',
    ),
};

/** A time behind the snapshot, by the names of the flags. */
export const pointInTime = {
  to: text
    .optional()
    .describe('Brings the snapshot forward to this time, ISO 8601 with its zone, by a log of changes.'),
  log: text
    .optional()
    .describe(
      "With to: the table of changes; default: public.backup_transaction_logs. Without root: of the token's schema.",
    ),
  since: text
    .optional()
    .describe('With to, of a {tenant}/{job}-backup.json: the moment at which it was begun.'),
  accept_log_faults: flag
    .default(false)
    .describe('With to: where the log contradicts itself, its later word counts.'),
};

/** What is said of a restore of a snapshot besides which one, by the names of the flags of `thaw snapshot restore`. */
export const snapshotOptions = z.strictObject(
  {
    ...snapshotChoice,
    ...pointInTime,
    selection: z
      .string(must('must be text'))
      .regex(/^[0-9a-f]{32}$/, 'must be the id that POST /api/snapshots/selections answers with')
      .optional()
      .describe('Of selective: the marked differences, by the id of their upload.'),
    if_unchanged: text
      .max(1_000_000, 'must have at most 1,000,000 characters')
      .optional()
      .describe('What a preview or a diff gave: nothing is restored where a table has changed since.'),
    again: flag.default(false).describe('Also a snapshot that was restored before.'),
    pre_snapshot: flag.default(true).describe('Takes a snapshot of what is there first.'),
    reason: z
      .string(must('must be text'))
      .max(500, 'must have at most 500 characters')
      .default('')
      .describe('Why, for the history.'),
    confirm: flag.default(false).describe('Must be true, but for a dry run.'),
  },
  must('must be an object of settings'),
);

/** Settings that were checked. */
export type SnapshotOptions = z.output<typeof snapshotOptions>;
export type SnapshotStrategyName = z.output<typeof snapshotStrategy>;

/**
 * Reads what a restore is asked for with.
 *
 * @param naming how messages name an option
 * @throws ThawError `InputInvalid`, also for options that do not go with the strategy
 */
export function readSnapshotSettings(
  {
    source_ref,
    conflict_strategy,
    options,
  }: { readonly [field in 'source_ref' | 'conflict_strategy' | 'options']?: unknown },
  naming: FieldNaming,
): { readonly ref: string; readonly strategy: SnapshotStrategyName; readonly given: SnapshotOptions } {
  const { source_ref: ref, conflict_strategy: strategy } = parseInput(
    z.object({ source_ref: snapshotRef, conflict_strategy: snapshotStrategy }),
    { source_ref: source_ref ?? undefined, conflict_strategy },
  );
  const given = parseInput(snapshotOptions, options ?? {}, naming);
  goesWith(strategy, 'merge', 'newer_by', given.newer_by, naming);
  goesWith(strategy, 'selective', 'selection', given.selection, naming);
  return { ref, strategy, given };
}

/** An option that one strategy needs, and no other takes. @throws ThawError `InputInvalid` */
export function goesWith(
  strategy: SnapshotStrategyName,
  needed: SnapshotStrategyName,
  option: string,
  value: unknown,
  naming: FieldNaming,
): void {
  if ((value !== undefined) === (strategy === needed)) return;
  const reason = value === undefined ? `is required with ${needed}` : `goes with ${needed} only`;
  throw fieldError(naming(option), reason);
}
