import type pg from 'pg';
import type { HeldTarget } from '../contract/activities.ts';
import type { TableError } from '../contract/outcome.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { UndoFailure, UndoHeartbeat, UndoneRows } from '../contract/undo-request.ts';
import { forgetFiles } from '../postgres/bundle-ledger.ts';
import { readTarget, type TargetTable } from '../postgres/catalog.ts';
import { readForeignKeys, type TableName } from '../postgres/foreign-keys.ts';
import { databaseError } from '../postgres/sqlstate.ts';
import { holdTarget, releaseTarget, renewLease, type Taker, takeTarget } from '../postgres/targets.ts';
import {
  endUndo,
  forgetArchives,
  lockUndo,
  readUndoTables,
  type Sweep,
  type UndoScope,
  type UndoTable,
} from '../postgres/undo-rows.ts';
import { parentsFirst } from '../restore/parents-first.ts';
import { keptTables } from './kept-changes.ts';
import { takeAwayModels } from './undo-models.ts';
import { scopeOf, undoTable } from './undo-table.ts';
import { undoTogether } from './undo-together.ts';
import type { UndoneRestore } from './undone-restore.ts';

/** One undo of a restore. */
export interface RestoreUndo {
  /** Its own id. */
  readonly undoId: string;
  readonly restore: UndoneRestore;
  /** Triggers of the tables do not fire, whether or not they did for the restore. */
  readonly disableTriggers: boolean;
  readonly signal: AbortSignal;
  /** Called at the beginning and after each transaction, with what has been undone so far. */
  readonly onProgress?: (done: UndoHeartbeat) => void;
}

/**
 * Undoes a restore: what it inserted is deleted, what it overwrote comes back, and what was changed since is
 * left and marked. Then the models and fields go that it has made. It may be broken off at any moment and asked for again.
 *
 * @param client in no transaction
 * @returns the tables that could not be undone, or not to their end
 * @throws ThawError `InputInvalid` where the restore kept nothing for it; `TargetBusy` while another undo of it
 * goes on; errors of the moment
 */
export async function undoTables(client: pg.Client, undo: RestoreUndo): Promise<UndoFailure[]> {
  const { restoreId, isBundle } = undo.restore;
  const tables = await keptTables(client, undo.restore);
  if (!(await lockUndo(client, restoreId))) {
    throw new ThawError('TargetBusy', `restore ${restoreId} is being undone already.`, {
      object: restoreId,
      hint: 'Wait until that has ended: give the same command then to see what came of it.',
    });
  }
  // A bundle that is asked for from now on brings again what is no longer there.
  if (isBundle) await forgetFiles(client, restoreId);
  const work = new Undo(client, undo, tables);
  try {
    await work.take(tables);
    await work.run();
  } finally {
    await work.release();
  }
  if (isBundle) await takeAwayModels(client, { restoreId, taker: work.taker, signal: undo.signal });
  return work.failures;
}

/** Well within the lease. */
const renewEveryMs = 30_000;

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
  readonly taker: Taker;
  /** By `schema.table`. */
  readonly #errors = new Map<string, TableError>();
  readonly #tables: HeldTable[] = [];
  /** Milliseconds since the epoch. */
  #renewedAt = Date.now();
  /** By `schema.table`, with what undos before have done. */
  readonly #done: Map<string, UndoneRows>;

  constructor(client: pg.Client, undo: RestoreUndo, kept: readonly UndoTable[]) {
    this.#client = client;
    this.#undo = undo;
    this.#restoreId = undo.restore.restoreId;
    // Another undo of this restore may take its tables over: the lock was had, so this one has ended.
    this.taker = { restoreId: undo.undoId, workflow: `undo-${this.#restoreId}` };
    this.#done = new Map(kept.map((table) => [nameOf(table), table]));
  }

  /** Takes the tables that are there still, and has their archives count as restored no more. */
  async take(tables: readonly UndoTable[]): Promise<void> {
    const disableTriggers = this.#undo.disableTriggers || this.#undo.restore.disableTriggers;
    for (const kept of tables) {
      const { oid, schema, table } = kept;
      // A restore that is asked for from now on brings again what is no longer there.
      await forgetArchives(this.#client, this.#restoreId, oid);
      // Whatever has become of the table.
      if (!kept.isLeft) {
        await endUndo(this.#client, this.#restoreId, oid);
        continue;
      }
      const found = await this.#about(kept, () => readTarget(this.#client, schema, table));
      if (found === null) continue;
      if (found.oid !== oid) {
        this.#errors.set(nameOf(kept), replaced(kept));
        continue;
      }
      const target = { ...found, triggersDisabled: disableTriggers };
      const name = { oid: target.rootOid, schema, table, ordered: target.hasUnique };
      const held = await this.#about(kept, () => takeTarget(this.#client, this.taker, name));
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
    this.#tellProgress();
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
    const sound = tables.filter(({ kept }) => !this.#errors.has(nameOf(kept)));
    const scopes: UndoScope[] = [];
    for (const { kept, target } of sound) {
      scopes.push(await scopeOf(this.#client, { restoreId, target, kept }));
    }
    const undone = await undoTogether(this.#client, scopes, async () => {
      for (const { held } of sound) {
        await holdTarget(this.#client, { restoreId: this.taker.restoreId, target: held });
      }
    });
    if (undone === 0) return 0;
    for (const table of await readUndoTables(this.#client, restoreId)) this.#done.set(nameOf(table), table);
    this.#tellProgress();
    return undone;
  }

  async #undoTable(kept: UndoTable, target: TargetTable, held: HeldTarget, sweep: Sweep): Promise<number> {
    const restoreId = this.#restoreId;
    const { signal } = this.#undo;
    const claim = { restoreId: this.taker.restoreId, target: held };
    const prove = () => holdTarget(this.#client, claim);
    const onProgress = async (rows: UndoneRows) => {
      this.#add(kept, rows);
      await this.#renew();
    };
    return undoTable(this.#client, { restoreId, target, kept, sweeps: [sweep], prove, signal, onProgress });
  }

  /** Keeps all tables, also those whose turn comes later. */
  async #renew(): Promise<void> {
    if (Date.now() - this.#renewedAt < renewEveryMs) return;
    for (const { held } of this.#tables) await renewLease(this.#client, this.taker.restoreId, held);
    this.#renewedAt = Date.now();
  }

  #add(kept: UndoTable, rows: UndoneRows): void {
    const before = this.#done.get(nameOf(kept)) ?? kept;
    this.#done.set(nameOf(kept), {
      deleted: before.deleted + rows.deleted,
      broughtBack: before.broughtBack + rows.broughtBack,
      gone: before.gone + rows.gone,
    });
    this.#tellProgress();
  }

  #tellProgress(): void {
    const tables = [...this.#done].map(([target, { deleted, broughtBack, gone }]) => ({
      ...{ target, deleted, broughtBack, gone },
    }));
    this.#undo.onProgress?.({ tables });
  }

  get failures(): UndoFailure[] {
    return [...this.#errors].map(([target, error]) => ({ target, error }));
  }

  async release(): Promise<void> {
    for (const { held } of this.#tables) {
      // Where the connection is lost, it is free once its lease has run out.
      await releaseTarget(this.#client, this.taker.restoreId, held).catch(() => {});
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
