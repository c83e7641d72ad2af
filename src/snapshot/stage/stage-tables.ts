import type pg from 'pg';
import { ThawError } from '../../contract/thaw-error.ts';
import type { TargetTable } from '../../postgres/catalog.ts';
import { disconnect } from '../../postgres/connection.ts';
import { analyzeSnapshotStage, dropSnapshotStage, makeSnapshotStage } from '../../postgres/snapshot-stage.ts';
import { databaseError } from '../../postgres/sqlstate.ts';
import type { RowsPart, RowsSource } from '../read/rows-source.ts';
import { type StagedRows, type StageFill, StageTable } from './stage-table.ts';

/** A table whose rows are wanted. */
export interface WantedTable {
  /** As the source names it. */
  readonly name: string;
  readonly target: TargetTable;
}

/** How tables are staged. */
export interface StageOptions {
  /** Of the stage: see `stageSchema`. */
  readonly schema: string;
  /** Connections that rows are copied on at the same time; at least 1. */
  readonly connections: number;
  connect(): Promise<pg.Client>;
  /** The snapshot must have the columns of each table, no less and no more. */
  readonly exact: boolean;
  readonly signal: AbortSignal;
  /** Called for rows of a table as they are read. */
  onRows?(name: string, rows: number): void;
}

/**
 * Copies the rows of a snapshot into unlogged tables of a schema of their own, parts side by side, and one part on
 * several connections where there are fewer of them. Nothing of the tables themselves is touched. An earlier stage of
 * that name is replaced; where this one fails it is removed, otherwise `dropSnapshotStage` removes it.
 *
 * @returns what was staged, in the order of `wanted`: all that the source tells was there, with its checksums
 * @throws ThawError for a source that is damaged or not what it tells of itself, values that a column cannot take,
 * columns that differ, and what the database refuses; the signal's reason
 */
export async function stageTables(
  source: RowsSource,
  wanted: readonly WantedTable[],
  options: StageOptions,
): Promise<StagedRows[]> {
  const { schema } = options;
  const stages = new Map(wanted.map(({ name, target }) => [name, newStage(source, name, target, schema)]));
  const targets = wanted.map(({ target }) => target);
  try {
    return await withClients(options, async (client, clients) => {
      await makeSnapshotStage(client, schema, targets);
      await fillStages(source, stages, clients, options);
      const staged = [...stages.values()].map((stage) => stage.finish(options.exact));
      await analyzeSnapshotStage(client, schema, targets);
      return staged;
    });
  } catch (error) {
    await removeStage(options);
    options.signal.throwIfAborted();
    throw databaseError(error, { object: schema });
  }
}

/** Does something on new connections, the first of which is given besides. Behind it none of them holds a lock. */
async function withClients<Result>(
  { connect, connections }: StageOptions,
  work: (first: pg.Client, all: readonly pg.Client[]) => Promise<Result>,
): Promise<Result> {
  const first = await connect();
  const clients = [first];
  try {
    while (clients.length < connections) clients.push(await connect());
    return await work(first, clients);
  } finally {
    await Promise.all(clients.map((client) => disconnect(client)));
  }
}

function newStage(source: RowsSource, name: string, target: TargetTable, schema: string): StageTable {
  const table = source.tables.find((candidate) => candidate.name === name);
  // An empty stage in its place would say that all rows are to go.
  if (table === undefined) {
    const object = `${target.schema}.${target.table}`;
    throw new ThawError('ArchiveNotFound', `The snapshot does not have ${object}.`, {
      object,
      hint: 'Leave the table out, or use a snapshot that has it.',
    });
  }
  return new StageTable(target, table, schema);
}

async function fillStages(
  source: RowsSource,
  stages: ReadonlyMap<string, StageTable>,
  clients: readonly pg.Client[],
  options: StageOptions,
): Promise<void> {
  const count = Math.min(source.parts.length, clients.length);
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const parts = source.parts.values();
  const fill = async (own: readonly pg.Client[]) => {
    try {
      for (const part of parts) await fillFrom(part, source, stages, own, { ...options, signal });
    } catch (error) {
      // The others need not go on; what they raise for that reason is not the reason.
      failed.abort(error);
      throw error;
    }
  };
  const lanes = Array.from({ length: count }, (_, lane) =>
    clients.filter((_client, index) => index % count === lane),
  );
  await Promise.allSettled(lanes.map(fill));
  signal.throwIfAborted();
}

async function fillFrom(
  part: RowsPart,
  { encoding }: RowsSource,
  stages: ReadonlyMap<string, StageTable>,
  clients: readonly pg.Client[],
  { signal, onRows }: StageOptions,
): Promise<void> {
  let table: string | null = null;
  let fill: StageFill | null = null;
  try {
    for await (const piece of part.read(signal)) {
      signal.throwIfAborted();
      if (piece.table !== table) {
        await fill?.finish();
        table = piece.table;
        fill = stages.get(table)?.fill(clients, part.name, encoding) ?? null;
      }
      if (fill === null) continue;
      const rows = await fill.write(piece.lines);
      onRows?.(table, rows);
    }
    await fill?.finish();
  } catch (error) {
    await fill?.abandon();
    throw databaseError(error, { object: stages.get(table ?? '')?.object ?? part.name });
  }
}

async function removeStage({ connect, schema }: StageOptions): Promise<void> {
  try {
    const client = await connect();
    try {
      await dropSnapshotStage(client, schema);
    } finally {
      await disconnect(client);
    }
  } catch {
    // What has failed is told, and the next attempt begins with removing what is left.
  }
}
