import type pg from 'pg';
import { qualifiedName, quoteIdentifier } from './identifier.ts';

/** Whether a trigger of a table or of one of its partitions fires. */
export interface TriggerState {
  readonly schema: string;
  readonly table: string;
  readonly name: string;
  /** `pg_trigger.tgenabled`: in ordinary sessions, always, in replicas only, never. */
  readonly state: 'O' | 'A' | 'R' | 'D';
}

const actions = {
  O: 'enable trigger',
  A: 'enable always trigger',
  R: 'enable replica trigger',
  D: 'disable trigger',
} as const;

/** The triggers of a table and its partitions on what is done to rows, the table's own first; those of constraints are left out. */
export async function readTriggerStates(client: pg.Client, targetOid: number): Promise<TriggerState[]> {
  const { rows } = await client.query<TriggerState>(
    `select n.nspname as schema, c.relname as table, g.tgname as name, g.tgenabled as state
     from (
       select $1::oid as oid, 0 as level
       union
       select relid::oid, level from pg_partition_tree($1::oid::regclass)
     ) as tree
     join pg_class c using (oid)
     join pg_namespace n on n.oid = c.relnamespace
     join pg_trigger g on g.tgrelid = tree.oid and not g.tgisinternal and g.tgtype & (4 | 8 | 16) <> 0
     order by tree.level, c.oid, g.tgname`,
    [targetOid],
  );
  return rows;
}

/** Those of {@link readTriggerStates} that fire in ordinary sessions. */
export async function readFiringTriggers(client: pg.Client, targetOid: number): Promise<TriggerState[]> {
  const states = await readTriggerStates(client, targetOid);
  return states.filter(({ state }) => state === 'O' || state === 'A');
}

/** Sets triggers, in this order: what is set of a partitioned table is set of its partitions as well. */
export async function setTriggerStates(client: pg.Client, states: readonly TriggerState[]): Promise<void> {
  for (const { schema, table, name, state } of states) {
    await client.query(
      `alter table ${qualifiedName(schema, table)} ${actions[state]} ${quoteIdentifier(name)}`,
    );
  }
}
