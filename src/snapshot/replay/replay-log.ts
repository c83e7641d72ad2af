import type pg from 'pg';
import type { SnapshotTableName } from '../../contract/snapshot.ts';
import type {
  FaultyChange,
  PointInTime,
  ReplayedTable,
  ReplayReport,
} from '../../contract/snapshot-replay.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { type ChangeLog, findChangeLog, namesInLog } from '../../postgres/change-log.ts';
import {
  countChanges,
  findUnclear,
  findUnknownColumns,
  hasChanges,
  type ReplayWindow,
  readChanges,
  type TableLog,
} from '../../postgres/replay-log.ts';
import {
  applyStates,
  followRows,
  forgetChanges,
  prepareReplay,
  readFaults,
} from '../../postgres/replay-rows.ts';
import { chooseMergeKey, type StagedTable } from '../../postgres/snapshot-differences.ts';
import { databaseError } from '../../postgres/sqlstate.ts';
import { inTransaction } from '../../postgres/transaction.ts';
import type { StagedRows } from '../stage/stage-table.ts';
import { checkWindow } from './check-window.ts';
import { faultLine } from './replay-lines.ts';

/** Contradictions of a log that are told one by one, of each table. */
const toldFaults = 10;

/** A table of a stage that changes are replayed over. */
export type ReplayTable = StagedTable & Pick<StagedRows, 'rows' | 'dropped'>;

/** Which changes are replayed, and how. */
export interface ReplayOptions extends Pick<PointInTime, 'log' | 'to' | 'acceptFaults'> {
  /** The moment of the snapshot, ISO 8601. */
  readonly after: string;
  /** What the snapshot saw, as its manifest has it; null: only its moment is known. */
  readonly xactSnapshot: string | null;
  /** Every column that the log tells of must be one of the table. */
  readonly exact: boolean;
  readonly signal: AbortSignal;
}

/** What a replay did to a stage. */
export interface Replayed<Table> {
  /** In their order; their rows are those of the time by now. */
  readonly staged: readonly Table[];
  readonly report: ReplayReport;
}

/**
 * Brings staged tables forward to a time by a log of changes, all in one transaction; nothing but the stage is
 * touched. Changes count that the snapshot did not see, up to the time, in the order of `changed_at`, of one instant
 * in the order of the log's sequence; where the rows of a table contradict that order, in that of the sequence alone.
 * Without a sequence the order is that in which entries lie in the log, and the rows before and after must prove it.
 *
 * @param client in no transaction
 * @throws ThawError `InputInvalid` for a time that cannot be reached, `ConflictFound` where the log contradicts itself
 * or the snapshot, or has rows of another tenant; `SchemaIncompatible`, `RowRejected`; those of `findChangeLog`
 */
export async function replayLog<Table extends ReplayTable>(
  client: pg.Client,
  tables: readonly Table[],
  options: ReplayOptions,
): Promise<Replayed<Table>> {
  const log = await findChangeLog(client, options.log);
  const replayed: Table[] = [];
  const changes: ReplayedTable[] = [];
  const faults: FaultyChange[] = [];
  try {
    return await inTransaction(
      client,
      async () => {
        const notices = await checkWindow(
          client,
          log,
          tables.map(({ target }) => target),
          options,
        );
        await prepareReplay(client);
        for (const table of tables) {
          options.signal.throwIfAborted();
          const done = await replayTable(client, log, table, options);
          replayed.push(done.table);
          changes.push(done.changes);
          faults.push(...done.faults);
        }
        if (faults.length > 0 && !options.acceptFaults) throw contradicts(log, changes, faults);
        return {
          staged: replayed,
          report: { to: options.to, log: options.log, tables: changes, faults, notices },
        };
      },
      // Every table by the log as it is at one moment.
      () => client.query('begin isolation level repeatable read'),
    );
  } catch (error) {
    options.signal.throwIfAborted();
    throw databaseError(error, { object: nameOf(log), stage: 'copy' });
  }
}

async function replayTable<Table extends ReplayTable>(
  client: pg.Client,
  log: ChangeLog,
  staged: Table,
  options: ReplayOptions,
): Promise<{ table: Table; changes: ReplayedTable; faults: readonly FaultyChange[] }> {
  const { target, tenant } = staged;
  const name = { schema: target.schema, table: target.table };
  const window: ReplayWindow = { ...options, until: options.to, tenant };
  try {
    if (nameOf(log) === nameOf(name)) throw isTheLog(log);
    const names = await namesInLog(client, log, target);
    if (tenant !== null && !log.hasTenant) throw noTenant(log);
    if (!(await hasChanges(client, log, names, window))) {
      return {
        table: staged,
        changes: { ...name, inserts: 0, updates: 0, deletes: 0, faults: 0 },
        faults: [],
      };
    }
    const key = chooseMergeKey(staged);
    if (key === null) throw noKey(name);
    const table: TableLog = { log, names, staged, key };
    await readChanges(client, table, window);
    const unclear = await findUnclear(client);
    if (unclear !== null) throw isUnclear(log, name, unclear);
    const dropped = await droppedColumns(client, table, options.exact);
    const counts = await countChanges(client);
    const faulty = await inBestOrder(client, table);
    const isRefused = faulty.count > 0 && !options.acceptFaults;
    const rows = isRefused ? staged.rows : await applyStates(client, table);
    if (rows === null) throw foreignRows(log, name, tenant?.column ?? '');
    await forgetChanges(client);
    return {
      table: { ...staged, rows, dropped: merged(staged.dropped, dropped) },
      changes: { ...name, ...counts, faults: faulty.count },
      faults: faulty.first,
    };
  } catch (error) {
    throw databaseError(error, { object: nameOf(name), stage: 'copy' });
  }
}

/** Where clocks say another order than the rows, the sequence decides: it is drawn while the row is locked. */
async function inBestOrder(
  client: pg.Client,
  table: TableLog,
): Promise<{ readonly count: number; readonly first: readonly FaultyChange[] }> {
  await followRows(client, table, 'place');
  const byTime = await readFaults(client, table, toldFaults);
  if (byTime.count === 0 || table.log.sequence === null) return byTime;
  await followRows(client, table, 'sequence');
  const bySequence = await readFaults(client, table, toldFaults);
  if (bySequence.count < byTime.count) return bySequence;
  await followRows(client, table, 'place');
  return byTime;
}

async function droppedColumns(
  client: pg.Client,
  table: TableLog,
  exact: boolean,
): Promise<ReadonlyMap<string, number>> {
  const unknown = await findUnknownColumns(client, table);
  const [first] = unknown.keys();
  if (first === undefined || !exact) return unknown;
  const object = nameOf(table.staged.target);
  throw new ThawError(
    'SchemaIncompatible',
    `${object}: the log tells of a column ${JSON.stringify(first.slice(0, 63))} that the table does not have.`,
    {
      object,
      stage: 'copy',
      hint: 'With --schema-migration-strategy lenient, what either side does not have is left as it is.',
    },
  );
}

function merged(
  dropped: ReadonlyMap<string, number>,
  more: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const all = new Map(dropped);
  for (const [name, values] of more) all.set(name, (all.get(name) ?? 0) + values);
  return all;
}

/** `schema.table` */
function nameOf({ schema, table }: SnapshotTableName): string {
  return `${schema}.${table}`;
}

function contradicts(
  log: ChangeLog,
  changes: readonly ReplayedTable[],
  faults: readonly FaultyChange[],
): ThawError {
  const count = changes.reduce((sum, table) => sum + table.faults, 0);
  const told = faults.slice(0, 5).map(faultLine);
  const more = count > told.length ? `, and ${count - told.length} more` : '';
  const object = nameOf(log);
  return new ThawError(
    'ConflictFound',
    `${object} contradicts itself or the snapshot: ${told.join('; ')}${more}.`,
    {
      object,
      stage: 'copy',
      hint: 'Nothing was restored. Changes are missing from the log, or rows were changed past it: use a later snapshot, or let the log have the last word with --accept-log-faults.',
    },
  );
}

function isTheLog(log: ChangeLog): ThawError {
  const object = nameOf(log);
  return new ThawError('InputInvalid', `${object} is the log itself, and would lose what it holds.`, {
    object,
    hint: 'Choose the tables with --table, without the log.',
  });
}

function noTenant(log: ChangeLog): ThawError {
  const object = nameOf(log);
  return new ThawError('SchemaIncompatible', `${object} has no column tenant_id.`, {
    object,
    column: 'tenant_id',
    hint: 'Changes cannot be told from those of other tenants. Restore whole tables, or name another log with --log.',
  });
}

function noKey(name: SnapshotTableName): ThawError {
  const object = nameOf(name);
  return new ThawError('SchemaIncompatible', `${object}: it has no key by which changes find their rows.`, {
    object,
    hint: 'Add a primary key, or leave the table out.',
  });
}

function isUnclear(
  log: ChangeLog,
  name: SnapshotTableName,
  { entry, changedAt }: { readonly entry: string | null; readonly changedAt: string },
): ThawError {
  const object = nameOf(name);
  const which = entry === null ? '' : ` with the id ${entry}`;
  return new ThawError(
    'SchemaIncompatible',
    `${object}: the entry of ${changedAt}${which} in ${nameOf(log)} does not tell which row was changed, or how.`,
    {
      object,
      stage: 'copy',
      hint: 'An entry is an INSERT, UPDATE or DELETE; old_data or record_id tells the row, new_data what became of it.',
    },
  );
}

function foreignRows(log: ChangeLog, name: SnapshotTableName, column: string): ThawError {
  const object = nameOf(name);
  return new ThawError('ConflictFound', `${object}: ${nameOf(log)} has rows of another ${column}.`, {
    object,
    stage: 'copy',
    hint: 'Nothing was restored. A row that moves from one tenant to another is logged as a DELETE of the one and an INSERT of the other.',
  });
}
