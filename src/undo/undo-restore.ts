import type pg from 'pg';
import type { HeldTarget } from '../contract/activities.ts';
import type { TableError } from '../contract/outcome.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { UndoFailure } from '../contract/undo-request.ts';
import { readTarget, type TargetTable } from '../postgres/catalog.ts';
import { readForeignKeys, type TableName } from '../postgres/foreign-keys.ts';
import type { StoredRestore } from '../postgres/restores.ts';
import { ensureSchema } from '../postgres/schema.ts';
import { databaseError } from '../postgres/sqlstate.ts';
import { releaseTarget, renewLease, takeTarget } from '../postgres/targets.ts';
import {
  countUndoRows,
  forgetArchives,
  type LeftRows,
  lockUndo,
  readLeftRows,
  readUndoTables,
  type Sweep,
  type UndoScope,
  type UndoTable,
} from '../postgres/undo-rows.ts';
import { parentsFirst } from '../restore/parents-first.ts';
import { scopeOf, undoTable } from './undo-table.ts';
import { undoTogether } from './undo-together.ts';

/** One undo of a restore. */
export interface RestoreUndo {
  readonly restore: StoredRestore;
  /** Triggers of the tables do not fire, whether or not they did for the restore. */
  readonly disableTriggers: boolean;
  readonly signal: AbortSignal;
  /** Called after each transaction, with how many rows it has undone. */
  readonly onUndone?: (rows: number) => void;
}

/** What is to be undone of a table. */
export interface UndoExtent {
  /** `schema.table` */
  readonly target: string;
  /** Rows to be deleted. */
  readonly inserted: number;
  /** Rows to be brought back. */
  readonly overwritten: number;
}

/** What came of a table, by this undo and those before it. */
export interface UndoneTable {
  /** `schema.table` */
  readonly target: string;
  /** Rows that the restore had inserted. */
  readonly deleted: number;
  /** Rows that the restore had overwritten. */
  readonly broughtBack: number;
  /** Rows that the restore had inserted, and others had deleted since. */
  readonly gone: number;
  readonly left: readonly LeftRows[];
  /** Why it could not be undone, or not to its end; null otherwise. */
  readonly error: TableError | null;
}

/** Tells what there is to be undone. @throws ThawError `InputInvalid` where the restore kept nothing for it */
export async function extentOf(client: pg.Client, restore: StoredRestore): Promise<UndoExtent[]> {
  const extents: UndoExtent[] = [];
  for (const { oid, schema, table } of await keptTables(client, restore)) {
    const counts = await countUndoRows(client, restore.request.restoreId, oid);
    extents.push({ target: `${schema}.${table}`, ...counts });
  }
  return extents;
}

/**
 * Undoes a restore: what it inserted is deleted, what it overwrote comes back, and what was changed since is
 * left and marked. It may be broken off at any moment and asked for again.
 *
 * @param client in no transaction
 * @returns the tables that could not be undone, or not to their end
 * @throws ThawError `InputInvalid` where the restore kept nothing for it; `TargetBusy` while another undo of it
 * goes on; errors of the moment
 */
export async function undoTables(client: pg.Client, undo: RestoreUndo): Promise<UndoFailure[]> {
  const { restoreId } = undo.restore.request;
  const tables = await keptTables(client, undo.restore);
  if (!(await lockUndo(client, restoreId))) {
    throw new ThawError('TargetBusy', `restore ${restoreId} is being undone already.`, {
      object: restoreId,
      hint: 'Wait until the other `thaw undo` has ended.',
    });
  }
  const work = new Undo(client, undo);
  try {
    await work.take(tables);
    await work.run();
    return work.failures;
  } finally {
    await work.release();
  }
}

/**
 * Tells what came of a restore's tables.
 *
 * @param failures of the last undo
 * @param shownKeys of rows that are left, at most, for each table and reason
 */
export async function reportUndo(
  client: pg.Client,
  restoreId: string,
  failures: readonly UndoFailure[],
  shownKeys: number,
): Promise<UndoneTable[]> {
  const reports: UndoneTable[] = [];
  for (const { oid, schema, table, deleted, broughtBack, gone } of await readUndoTables(client, restoreId)) {
    const target = `${schema}.${table}`;
    const left = await readLeftRows(client, restoreId, oid, shownKeys);
    const error = failures.find((failure) => failure.target === target)?.error ?? null;
    reports.push({ target, deleted, broughtBack, gone, left, error });
  }
  return reports;
}

/** A table that this undo holds. */
interface HeldTable {
  readonly kept: UndoTable;
  readonly target: TargetTable;
  readonly held: HeldTarget;
}

class Undo {
  readonly #client: pg.Client;
  readonly #undo: RestoreUndo;
  readonly #restoreId: string;
  readonly #holder: string;
  /** By `schema.table`. */
  readonly #errors = new Map<string, TableError>();
  readonly #tables: HeldTable[] = [];

  constructor(client: pg.Client, undo: RestoreUndo) {
    this.#client = client;
    this.#undo = undo;
    this.#restoreId = undo.restore.request.restoreId;
    this.#holder = `undo-${this.#restoreId}`;
  }

  /** Takes the tables that are there still, and has their archives count as restored no more. */
  async take(tables: readonly UndoTable[]): Promise<void> {
    const disableTriggers = this.#undo.disableTriggers || this.#undo.restore.request.options.disableTriggers;
    for (const kept of tables) {
      const { oid, schema, table } = kept;
      const found = await this.#about(kept, () => readTarget(this.#client, schema, table));
      if (found === null) continue;
      if (found.oid !== oid) {
        this.#errors.set(nameOf(kept), replaced(kept));
        continue;
      }
      const target = { ...found, triggersDisabled: disableTriggers };
      const name = { oid: target.rootOid, schema, table, ordered: target.hasUnique };
      const taker = { restoreId: this.#holder, workflow: this.#holder };
      const held = await this.#about(kept, () => takeTarget(this.#client, taker, name));
      if (held === null) continue;
      this.#tables.push({ kept, target, held });
    }
  }

  /**
   * A row that another one refers to goes once that one is gone, whichever table it is of: as long as one round
   * through all tables undoes any, there is another. What holds each other is undone together then.
   */
  async run(): Promise<void> {
    const tables = await this.#parentsFirst();
    for (let undone = 1; undone > 0; ) {
      undone = 0;
      // What was added may stand in the way of what comes back, in its own table and as what others refer to.
      for (const sweep of ['added', 'changed'] as const) {
        for (const { kept, target, held } of sweep === 'added' ? tables.toReversed() : tables) {
          if (this.#errors.has(nameOf(kept))) continue;
          undone += (await this.#about(kept, () => this.#undoTable(kept, target, held, sweep))) ?? 0;
        }
      }
      if (undone === 0) undone = await this.#undoTogether(tables);
    }
  }

  async #parentsFirst(): Promise<HeldTable[]> {
    const names = this.#tables.map(({ kept }) => kept);
    const keys = await readForeignKeys(this.#client, names);
    const nodes = names.map((kept) => ({
      name: nameOf(kept),
      parents: keys.flatMap(({ child, parent }) => (nameOf(child) === nameOf(kept) ? [nameOf(parent)] : [])),
    }));
    const byName = new Map(this.#tables.map((table) => [nameOf(table.kept), table]));
    return parentsFirst(nodes)
      .flat()
      .flatMap((name) => byName.get(name) ?? []);
  }

  async #undoTogether(tables: readonly HeldTable[]): Promise<number> {
    const restoreId = this.#restoreId;
    const scopes: UndoScope[] = [];
    for (const { kept, target } of tables) {
      if (!this.#errors.has(nameOf(kept)))
        scopes.push(await scopeOf(this.#client, { restoreId, target, kept }));
    }
    return undoTogether(this.#client, scopes);
  }

  async #undoTable(kept: UndoTable, target: TargetTable, held: HeldTarget, sweep: Sweep): Promise<number> {
    const restoreId = this.#restoreId;
    const { signal, onUndone = () => {} } = this.#undo;
    // A restore that is asked for from now on brings again what is no longer there.
    await forgetArchives(this.#client, restoreId, target.rootOid);
    const onProgress = async (rows: number) => {
      onUndone(rows);
      await renewLease(this.#client, this.#holder, held);
    };
    return undoTable(this.#client, { restoreId, target, kept, sweeps: [sweep], signal, onProgress });
  }

  get failures(): UndoFailure[] {
    return [...this.#errors].map(([target, error]) => ({ target, error }));
  }

  async release(): Promise<void> {
    for (const { held } of this.#tables) {
      // Where the connection is lost, it is free once its lease has run out.
      await releaseTarget(this.#client, this.#holder, held).catch(() => {});
    }
  }

  /** Does something with a table; what fails about it is kept for its report, and null given. @throws errors of the moment */
  async #about<Result>(kept: UndoTable, work: () => Promise<Result>): Promise<Result | null> {
    try {
      return await work();
    } catch (raw) {
      this.#undo.signal.throwIfAborted();
      const error = databaseError(raw, { object: nameOf(kept) });
      if (error.retryable) throw error;
      const { code, message, hint } = error;
      this.#errors.set(nameOf(kept), { code, message, hint });
      return null;
    }
  }
}

async function keptTables(client: pg.Client, { request }: StoredRestore): Promise<UndoTable[]> {
  const { restoreId, options } = request;
  await ensureSchema(client);
  const tables = await readUndoTables(client, restoreId);
  if (tables.length > 0 || options.undoable) return tables;
  throw new ThawError('InputInvalid', `restore ${restoreId} has kept nothing that it could be undone by.`, {
    object: restoreId,
    hint: 'Only a restore with --undoable can be undone.',
  });
}

function nameOf({ schema, table }: TableName): string {
  return `${schema}.${table}`;
}

function replaced({ schema, table }: UndoTable): TableError {
  return {
    code: 'TargetMissing',
    message: `${schema}.${table}: the table that was restored into is another one.`,
    hint: 'Give the table that was restored into its name again.',
  };
}
