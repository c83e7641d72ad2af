import type pg from 'pg';
import type { Statement } from './apply-statements.ts';
import { quoteIdentifier, quoteLiteral } from './identifier.ts';

/** What `alter database … set` says, or for a role `alter role … in database … set`. */
export interface DatabaseSetting {
  /** Null: for everybody. */
  readonly role: string | null;
  readonly name: string;
  readonly value: string;
}

/** The settings of a database and of roles in it. */
export async function readSettings(client: pg.Client, database: string): Promise<DatabaseSetting[]> {
  const { rows } = await client.query<{ role: string | null; settings: string[] }>(
    `select case when s.setrole <> 0 then pg_get_userbyid(s.setrole) end as role, s.setconfig as settings
     from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase
     where d.datname = $1
     order by 1 nulls first`,
    [database],
  );
  return rows.flatMap(({ role, settings }) =>
    settings.map((setting) => {
      const at = setting.indexOf('=');
      return { role, name: setting.slice(0, at), value: setting.slice(at + 1) };
    }),
  );
}

/** The statements that give a database the settings of another. */
export function settingStatements(
  database: string,
  have: readonly DatabaseSetting[],
  want: readonly DatabaseSetting[],
): Statement[] {
  const same = (a: DatabaseSetting, b: DatabaseSetting) => a.role === b.role && a.name === b.name;
  const alter = ({ role, name }: DatabaseSetting, change: string): Statement => {
    const target = quoteIdentifier(database);
    return {
      what: `the setting ${name}${role === null ? '' : ` of role ${role}`}`,
      sql: `alter ${role === null ? '' : `role ${quoteIdentifier(role)} in `}database ${target} ${change}`,
    };
  };
  return [
    ...have
      .filter((setting) => !want.some((other) => same(setting, other)))
      .map((setting) => alter(setting, `reset ${quoteIdentifier(setting.name)}`)),
    ...want
      .filter((setting) => !have.some((other) => same(setting, other) && setting.value === other.value))
      .map((setting) => alter(setting, `set ${quoteIdentifier(setting.name)} to ${settingValue(setting)}`)),
  ];
}

/** Settings that are lists of names, whose parts PostgreSQL keeps quoted: GUC_LIST_QUOTE in its source. */
const quotedLists = new Set([
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
]);

function settingValue({ name, value }: DatabaseSetting): string {
  if (!quotedLists.has(name)) return quoteLiteral(value);
  const parts = [...value.matchAll(/\s*(?:"((?:[^"]|"")*)"|([^\s",]+))\s*(?:,|$)/g)];
  // One part that holds a comma would be read as several, were the list given as one text.
  return parts
    .map(([, quoted, plain]) =>
      quoteLiteral(quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"')),
    )
    .join(', ');
}
