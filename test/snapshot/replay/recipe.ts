import { readFileSync } from 'node:fs';
import { pitrSql } from '../../../src/postgres/pitr-sql.ts';

/** The SQL with which docs/snapshots.md has tables logged. */
export function recipe(tables: readonly string[]): string {
  const text = readFileSync(new URL('../../../docs/snapshots.md', import.meta.url), 'utf8');
  const section = text.slice(text.indexOf('## Point in time'));
  const sql = /```sql\n([\s\S]*?)```/.exec(section)?.[1] ?? '';
  const [writer = '', triggers = '', end = ''] = sql.split(/^-- (?:For every table|Once all of them).*$/m);
  const each = tables.map((table) => triggers.replaceAll('public.orders', table));
  return `${pitrSql('public')}; ${writer} ${each.join('\n')} ${end}`;
}
