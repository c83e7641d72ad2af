/** A trigger of the target, or of a partition of it, that fires on insert or update. */
export interface Trigger {
  readonly name: string;
  readonly timing: 'before' | 'after' | 'instead of';
  readonly events: readonly ('insert' | 'update')[];
  readonly rowLevel: boolean;
  /** Fires in an ordinary session. */
  readonly enabled: boolean;
  /** May answer with NULL, and so make a row vanish without an error. */
  readonly maySwallow: boolean;
}

/** A trigger as the catalog describes it. */
export interface TriggerRow extends Omit<Trigger, 'maySwallow'> {
  readonly language: string;
  readonly source: string;
}

/** Query for the {@link TriggerRow}s of the relations `tree`; a part of the query of catalog.ts. */
export const triggersSql = `
  select json_agg(json_build_object(
    'name', g.tgname,
    'timing', case when g.tgtype & 2 <> 0 then 'before' when g.tgtype & 64 <> 0 then 'instead of' else 'after' end,
    'events', array_remove(array[
      case when g.tgtype & 4 <> 0 then 'insert' end,
      case when g.tgtype & 16 <> 0 then 'update' end
    ], null),
    'rowLevel', g.tgtype & 1 <> 0,
    'enabled', g.tgenabled in ('O', 'A'),
    'language', l.lanname,
    'source', p.prosrc
  ) order by g.tgrelid, g.tgname)
  from tree
  cross join lateral (
    -- by index, as there are many of foreign keys, and few others
    select * from pg_trigger where tgrelid = tree.oid and not tgisinternal and tgtype & (4 | 16) <> 0 offset 0
  ) as g
  join pg_proc p on p.oid = g.tgfoid
  join pg_language l on l.oid = p.prolang`;

/** Adds to each trigger what its function may do. */
export function readTriggers(rows: readonly TriggerRow[]): Trigger[] {
  return rows.map(({ language, source, ...trigger }) => ({
    ...trigger,
    maySwallow: trigger.rowLevel && trigger.timing === 'before' && !alwaysReturnsNew(language, source),
  }));
}

/**
 * Tells whether a PL/pgSQL function can end in nothing but `return new` with NEW still a row, as those
 * do that set an `updated_at`. Strict: what only looks like another ending, in a comment say, counts as one.
 */
function alwaysReturnsNew(language: string, source: string): boolean {
  const returns = source.match(/\breturn\b/gi)?.length ?? 0;
  const returnsNew = source.match(/\breturn\s+new\s*;/gi)?.length ?? 0;
  const replacesNew = /\bnew\s*:?=|\b(into|into\s+strict|for)\s+new\b(?!\s*\.)/i.test(source);
  return language === 'plpgsql' && returns > 0 && returns === returnsNew && !replacesNew;
}
