import type pg from 'pg';
import { ThawError } from '../contract/thaw-error.ts';
import { qualifiedName, quoteIdentifier, quoteLiteral } from './identifier.ts';
import type { FoundTable } from './snapshot-foreign-keys.ts';

/** A foreign key that is dropped, with all that it takes to have it again as it was. */
export interface TakenKey {
  readonly oid: number;
  readonly name: string;
  readonly child: FoundTable;
  /** In order; without search path, since every name has its schema. */
  readonly statements: readonly string[];
}

/** A key as it stands on a table or a partition of it. */
interface KeyCopy {
  readonly root: number;
  readonly name: string;
  readonly table: FoundTable;
  /** Of the copy, or the key, a level above; null: it is the one that was declared. */
  readonly above: string | null;
  /** As `pg_get_constraintdef` writes it, `not valid` included. */
  readonly definition: string;
  readonly comment: string | null;
  /** Its triggers fire in ordinary sessions, as those of a new key do. */
  readonly fires: boolean;
}

/**
 * Reads what it takes to put keys back: definition, names and comments, also of their copies on partitions.
 *
 * @param oids of keys as they were declared
 * @throws ThawError `SchemaIncompatible` for one whose triggers a superuser has switched off
 */
export async function readTakenKeys(client: pg.Client, oids: readonly number[]): Promise<TakenKey[]> {
  if (oids.length === 0) return [];
  const { rows: before } = await client.query<{ readonly path: string }>(
    `select current_setting('search_path') as path, set_config('search_path', '', true)`,
  );
  const { rows: copies } = await client.query<KeyCopy>(copiesSql, [oids]);
  await client.query(`select set_config('search_path', $1, true)`, [before[0]?.path]);
  return oids.flatMap((oid): TakenKey[] => {
    const own = copies.filter(({ root }) => root === oid);
    const declared = own.at(-1);
    if (declared === undefined) return [];
    const { name, table: child } = declared;
    if (!own.every(({ fires }) => fires)) {
      const object = `${child.schema}.${child.table}`;
      throw new ThawError(
        'SchemaIncompatible',
        `${object}: triggers of its foreign key ${name} are disabled`,
        {
          object,
          hint: 'The key has to be taken off during the restore, and would come back with triggers that fire. Enable them (alter table … enable trigger all), or drop the key.',
        },
      );
    }
    return [{ oid, name, child, statements: putBackSql(own) }];
  });
}

/** Drops keys within the transaction that is open. */
export async function dropKeys(client: pg.Client, keys: readonly TakenKey[]): Promise<void> {
  for (const { name, child } of keys) {
    await client.query(
      `alter table ${qualifiedName(child.schema, child.table)} drop constraint ${quoteIdentifier(name)}`,
    );
  }
}

/** Has a key checked at the end of the transaction where it says so, or no longer. */
export async function alterKey(
  client: pg.Client,
  { name, child }: Pick<TakenKey, 'name' | 'child'>,
  deferrable: boolean,
): Promise<void> {
  await client.query(
    `alter table ${qualifiedName(child.schema, child.table)} alter constraint ${quoteIdentifier(name)} ${deferrable ? 'deferrable' : 'not deferrable'}`,
  );
}

/** @param copies of one key, the deepest first, the declared one last */
function putBackSql(copies: readonly KeyCopy[]): string[] {
  // Copies are made with the name of what they are copied from: one with a name of its own has to be there before.
  const made = copies.filter(({ name, above }) => name !== above);
  const comments = copies.flatMap(({ name, table: { schema, table }, comment }) =>
    comment === null
      ? []
      : `comment on constraint ${quoteIdentifier(name)} on ${qualifiedName(schema, table)} is ${quoteLiteral(comment)}`,
  );
  return [...made.map(addSql), ...comments];
}

function addSql({ name, table: { schema, table }, definition }: KeyCopy): string {
  return `alter table ${qualifiedName(schema, table)} add constraint ${quoteIdentifier(name)} ${definition}`;
}

const copiesSql = `
  with recursive copy as (
    select k.oid as root, k.oid, 0 as level, null::name as above, k.conname
    from pg_constraint k
    where k.oid = any($1::oid[])
    union all
    select copy.root, k.oid, copy.level + 1, copy.conname, k.conname
    from copy
    join pg_constraint k on k.conparentid = copy.oid
  )
  select copy.root, k.conname as name, copy.above, pg_get_constraintdef(k.oid) as definition,
    json_build_object('oid', c.oid::int8, 'schema', n.nspname, 'table', c.relname) as table,
    obj_description(k.oid, 'pg_constraint') as comment,
    not exists (select from pg_trigger g where g.tgconstraint = k.oid and g.tgenabled <> 'O') as fires
  from copy
  join pg_constraint k on k.oid = copy.oid
  join pg_constraint declared on declared.oid = copy.root
  join pg_class c on c.oid = k.conrelid
  join pg_namespace n on n.oid = c.relnamespace
  -- copies for partitions of the table that is referred to come with it, under names that PostgreSQL chooses
  where k.confrelid = declared.confrelid
  order by copy.root, copy.level desc, n.nspname collate "C", c.relname collate "C"`;
