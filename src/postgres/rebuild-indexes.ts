import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { qualifiedName, quoteLiteral } from './identifier.ts';
import { databaseError, isAboutTarget } from './sqlstate.ts';
import { inTransaction, lockTimeout } from './transaction.ts';

/** What indexes are built with. */
export interface BuildTools {
  /** Does something with a further connection; `place` tells those of one table apart. */
  readonly withBuilder: <T>(place: number, action: (client: pg.Client) => Promise<T>) => Promise<T>;
  /** Told now and then how far it is. */
  readonly onProgress?: (progress: BuildProgress) => void;
}

/** How far the building of a table's indexes is. */
export interface BuildProgress {
  readonly built: number;
  readonly total: number;
  /** Those under way, such as `orders_by_day: building index: scanning table, 43 %`. */
  readonly building: readonly string[];
}

/** An index to be built again. */
interface DroppedIndex {
  readonly schema_name: string;
  readonly index_name: string;
  readonly definition: string;
  readonly comment: string | null;
  readonly tablespace: string | null;
}

/**
 * Indexes of a table that are built at the same time: each sorts within its own `maintenance_work_mem`, and
 * with more of them the scans of the table get in each other's way.
 */
const atOnce = 3;

/** Milliseconds between two looks at how far they are. */
const lookEvery = 2_000;

/**
 * Builds the indexes again that are recorded as dropped from a table, some at a time, each in a transaction
 * of its own; doing it twice, or from two sessions, does it once. Call it outside a transaction.
 *
 * @param client reads the records and looks how far the builders are
 * @returns The indexes that could not be built, with the statement that builds them: they stay recorded.
 * @throws ThawError of the retryable kinds, once those under way are done
 */
export async function rebuildIndexes(
  client: pg.Client,
  targetOid: number,
  tools: BuildTools,
): Promise<string[]> {
  const indexes = await droppedIndexes(client, targetOid);
  const build = new IndexBuild(indexes, targetOid, tools);
  const lanes = Array.from({ length: Math.min(atOnce, indexes.length) }, (_, place) => build.lane(place));
  const ended = Promise.allSettled(lanes);
  await watch(client, build, ended);
  for (const lane of await ended) if (lane.status === 'rejected') throw lane.reason;
  return build.notices;
}

/** The indexes of one table, taken one after another by builders. */
class IndexBuild {
  readonly #indexes: readonly DroppedIndex[];
  readonly #targetOid: number;
  readonly #tools: BuildTools;
  /** By place of the index. */
  readonly #notices = new Map<number, string>();
  /** Names of the indexes under way, by process of PostgreSQL. */
  readonly #building = new Map<number, string>();
  #next = 0;
  #built = 0;

  constructor(indexes: readonly DroppedIndex[], targetOid: number, tools: BuildTools) {
    this.#indexes = indexes;
    this.#targetOid = targetOid;
    this.#tools = tools;
  }

  /** In the order of the indexes. */
  get notices(): string[] {
    return this.#indexes.flatMap((_, place) => this.#notices.get(place) ?? []);
  }

  async lane(place: number): Promise<void> {
    await this.#tools.withBuilder(place, async (client) => {
      const pid = await processOf(client);
      for (let index = this.#indexes[this.#next]; index !== undefined; index = this.#indexes[this.#next]) {
        const taken = this.#next;
        this.#next += 1;
        this.#building.set(pid, index.index_name);
        const notice = await rebuildIndex(client, this.#targetOid, index).finally(() =>
          this.#building.delete(pid),
        );
        if (notice === null) this.#built += 1;
        else this.#notices.set(taken, notice);
      }
    });
  }

  /** Asks PostgreSQL how far the builders are, and tells it. */
  async tell(client: pg.Client): Promise<void> {
    if (this.#tools.onProgress === undefined) return;
    const { rows } = await client.query<{ pid: number; told: string }>(
      `select pid, phase || case
           when tuples_total > 0 then format(', %s %%', 100 * tuples_done / tuples_total)
           when blocks_total > 0 then format(', %s %%', 100 * blocks_done / blocks_total)
           else ''
         end as told
       from pg_stat_progress_create_index where pid = any($1::int[])`,
      [[...this.#building.keys()]],
    );
    const phases = new Map(rows.map(({ pid, told }) => [pid, told]));
    this.#tools.onProgress({
      built: this.#built,
      total: this.#indexes.length,
      building: [...this.#building].map(([pid, name]) => `${name}: ${phases.get(pid) ?? 'waiting'}`),
    });
  }
}

async function watch(client: pg.Client, build: IndexBuild, ended: Promise<unknown>): Promise<void> {
  let isOver = false;
  const over = ended.then(() => {
    isOver = true;
  });
  while (!isOver) {
    try {
      await build.tell(client);
    } catch {
      // Whoever only looks must not break off hours of work; what is wrong shows when the client is used next.
      return;
    }
    await Promise.race([over, delay(lookEvery, undefined, { ref: false })]);
  }
}

async function processOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return rows[0]?.pid ?? 0;
}

async function droppedIndexes(client: pg.Client, targetOid: number): Promise<DroppedIndex[]> {
  try {
    // A table that was dropped took its indexes along, for good.
    await client.query(
      `delete from thaw.dropped_indexes
       where target_oid = $1 and rebuilt_at is null and not exists (select from pg_class where oid = $1)`,
      [targetOid],
    );
    const { rows } = await client.query<DroppedIndex>(
      `select schema_name, index_name, definition, comment, tablespace
       from thaw.dropped_indexes
       where target_oid = $1 and rebuilt_at is null
       order by dropped_at, schema_name, index_name`,
      [targetOid],
    );
    return rows;
  } catch (error) {
    throw databaseError(error, { object: 'thaw.dropped_indexes' });
  }
}

async function rebuildIndex(
  client: pg.Client,
  targetOid: number,
  index: DroppedIndex,
): Promise<string | null> {
  try {
    await inTransaction(client, () => build(client, targetOid, index));
    return null;
  } catch (error) {
    const object = `${index.schema_name}.${index.index_name}`;
    const classified = databaseError(error, { object });
    if (classified.retryable && !isAboutTarget(classified)) throw classified;
    return `Index ${classified.message} when it was built again. It stays recorded in thaw.dropped_indexes; run: ${index.definition}`;
  }
}

async function build(client: pg.Client, targetOid: number, index: DroppedIndex): Promise<void> {
  await client.query(`set local lock_timeout = ${quoteLiteral(lockTimeout)}`);
  // Whoever rebuilds the same index at the same time waits here, and then finds it done.
  const { rowCount } = await client.query(
    `select from thaw.dropped_indexes
     where target_oid = $1 and schema_name = $2 and index_name = $3 and rebuilt_at is null
     for update`,
    [targetOid, index.schema_name, index.index_name],
  );
  if (rowCount === 0) return;
  await client.query(`set local default_tablespace = ${quoteLiteral(index.tablespace ?? '')}`);
  await client.query(index.definition.replace(/^CREATE INDEX /, 'create index if not exists '));
  if (index.comment !== null) {
    const name = qualifiedName(index.schema_name, index.index_name);
    await client.query(`comment on index ${name} is ${quoteLiteral(index.comment)}`);
  }
  await client.query(
    `update thaw.dropped_indexes set rebuilt_at = now()
     where target_oid = $1 and schema_name = $2 and index_name = $3`,
    [targetOid, index.schema_name, index.index_name],
  );
}
