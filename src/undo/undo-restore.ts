import type pg from 'pg';
import { findDatabase } from '../config/database-config.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { HeldTarget } from '../contract/activities.ts';
import type { TableError } from '../contract/outcome.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { readTarget, type TargetTable } from '../postgres/catalog.ts';
import { withDatabase } from '../postgres/connect-database.ts';
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
  type UndoTable,
} from '../postgres/undo-rows.ts';
import { undoTable } from './undo-table.ts';

/** One undo of a restore. */
export interface RestoreUndo {
  readonly config: ThawConfig;
  /** Where passwords are looked for. */
  readonly env: NodeJS.ProcessEnv;
  readonly restore: StoredRestore;
  /** Triggers of the tables do not fire, whether or not they did for the restore. */
  readonly disableTriggers: boolean;
  /** Keys told of rows that are left, at most, of each table and reason. */
  readonly shownKeys: number;
  readonly signal: AbortSignal;
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
export async function extentOf(undo: RestoreUndo): Promise<UndoExtent[]> {
  return withSession(undo, async (client) => {
    const tables = await keptTables(client, undo);
    const extents: UndoExtent[] = [];
    for (const { oid, schema, table } of tables) {
      const counts = await countUndoRows(client, undo.restore.request.restoreId, oid);
      extents.push({ target: `${schema}.${table}`, ...counts });
    }
    return extents;
  });
}

/**
 * Undoes a restore: what it inserted is deleted, what it overwrote comes back, and what was changed since is
 * left and told. It may be broken off at any moment and asked for again.
 *
 * @throws ThawError `InputInvalid` where the restore kept nothing for it; `TargetBusy` while a restore works on
 * one of the tables, or another undo. What is wrong with one table is in its report.
 */
export async function undoRestore(undo: RestoreUndo): Promise<UndoneTable[]> {
  const { restoreId } = undo.restore.request;
  return withSession(undo, async (client) => {
    const tables = await keptTables(client, undo);
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
      return await work.report(tables);
    } finally {
      await work.release();
    }
  });
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
  readonly #errors = new Map<number, TableError>();
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
        this.#errors.set(oid, replaced(kept));
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
   * through all tables undoes any, there is another.
   */
  async run(): Promise<void> {
    for (let undone = 1; undone > 0; ) {
      undone = 0;
      for (const { kept, target, held } of this.#tables) {
        if (this.#errors.has(kept.oid)) continue;
        undone += (await this.#about(kept, () => this.#undoTable(kept, target, held))) ?? 0;
      }
    }
  }

  async #undoTable(kept: UndoTable, target: TargetTable, held: HeldTarget): Promise<number> {
    const restoreId = this.#restoreId;
    const { signal } = this.#undo;
    // A restore that is asked for from now on brings again what is no longer there.
    await forgetArchives(this.#client, restoreId, target.rootOid);
    const onProgress = () => renewLease(this.#client, this.#holder, held);
    return undoTable(this.#client, { restoreId, target, kept, signal, onProgress });
  }

  async report(tables: readonly UndoTable[]): Promise<UndoneTable[]> {
    const counts = new Map(
      (await readUndoTables(this.#client, this.#restoreId)).map((table) => [table.oid, table]),
    );
    const reports: UndoneTable[] = [];
    for (const table of tables) {
      const { oid, schema } = table;
      const { deleted, broughtBack, gone } = counts.get(oid) ?? table;
      const left = await readLeftRows(this.#client, this.#restoreId, oid, this.#undo.shownKeys);
      const error = this.#errors.get(oid) ?? null;
      reports.push({ target: `${schema}.${table.table}`, deleted, broughtBack, gone, left, error });
    }
    return reports;
  }

  async release(): Promise<void> {
    for (const { held } of this.#tables) {
      // Where the connection is lost, it is free once its lease has run out.
      await releaseTarget(this.#client, this.#holder, held).catch(() => {});
    }
  }

  /** Does something with a table; what fails is kept for its report, and null given. */
  async #about<Result>(kept: UndoTable, work: () => Promise<Result>): Promise<Result | null> {
    try {
      return await work();
    } catch (raw) {
      this.#undo.signal.throwIfAborted();
      const { code, message, hint } = databaseError(raw, { object: `${kept.schema}.${kept.table}` });
      this.#errors.set(kept.oid, { code, message, hint });
      return null;
    }
  }
}

async function keptTables(client: pg.Client, { restore }: RestoreUndo): Promise<UndoTable[]> {
  const { restoreId, options } = restore.request;
  await ensureSchema(client);
  const tables = await readUndoTables(client, restoreId);
  if (tables.length > 0 || options.undoable) return tables;
  throw new ThawError('InputInvalid', `restore ${restoreId} has kept nothing that it could be undone by.`, {
    object: restoreId,
    hint: 'Only a restore with --undoable can be undone.',
  });
}

function replaced({ schema, table }: UndoTable): TableError {
  return {
    code: 'TargetMissing',
    message: `${schema}.${table}: the table that was restored into is another one.`,
    hint: 'Give the table that was restored into its name again.',
  };
}

function withSession<Result>(
  { config, env, restore }: RestoreUndo,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const { restoreId, database } = restore.request;
  // An interrupt lets the transaction end that is under way, and the tables go.
  const session = { applicationName: `thaw/undo-${restoreId}` };
  return withDatabase(findDatabase(config, database), env, session, work);
}
