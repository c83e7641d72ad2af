import { qualifiedName, quoteLiteral } from '../../../src/postgres/identifier.ts';
import { between, type Draw, isSo, pick } from './draw.ts';
import { type RandomSchema, type RandomTable, valueTypes, writtenColumns } from './random-schema.ts';

/** Values of the tenant column; each fits in all types that the column may have. */
export const tenants = ['a', 'b', "o'x", '\\"', 'abcde'] as const;

/** Statements that put rows into the tables and have them refer to each other; those that break a key are to be left. */
export function drawRows(draw: Draw, schema: string, random: RandomSchema): string[] {
  const inserts = Array.from({ length: between(draw, 4, 36) }, () =>
    insertSql(draw, schema, random, drawTable(draw, random), true),
  );
  const most = random.keys.length * 8;
  const links = Array.from({ length: between(draw, 0, most) }, () => linkSql(draw, schema, random));
  return [...inserts, ...links];
}

/** Statements that change rows in any way. */
export function drawChanges(draw: Draw, schema: string, random: RandomSchema): string[] {
  const changes = Array.from({ length: between(draw, 0, 24) }, () => {
    const place = drawTable(draw, random);
    const table = random.tables[place];
    if (table === undefined) return 'select';
    const name = qualifiedName(schema, table.name);
    const where = `where id = ${quoteLiteral(drawId(draw, table.idType))}`;
    const kind = pick(
      draw,
      ...([
        'insert',
        'insert',
        'update',
        'update',
        'link',
        'link',
        'key',
        'delete',
        'truncate',
        'swap',
        'empty',
      ] as const),
    );
    if (kind === 'insert') return insertSql(draw, schema, random, place, isSo(draw));
    if (kind === 'link') return linkSql(draw, schema, random);
    if (kind === 'delete') return `delete from ${name} ${where}`;
    if (kind === 'empty') return `delete from ${name} where part = ${between(draw, 1, 3)}`;
    if (kind === 'truncate') return `truncate ${name} ${isSo(draw) ? 'cascade' : ''}`;
    if (kind === 'swap') return swapSql(draw, name, table);
    if (kind === 'key') return rekeySql(draw, name, table, where);
    const [column = 'at', value = 'null'] = drawField(draw, random, place);
    return `update ${name} set ${column} = ${value} ${where}`;
  });
  // Now and then all rows of a table are lost, and of those that refer to it.
  const lost = random.tables[drawTable(draw, random)];
  if (lost === undefined || between(draw, 0, 3) > 0) return changes;
  return [...changes, `truncate ${qualifiedName(schema, lost.name)} cascade`];
}

function drawTable(draw: Draw, { tables }: RandomSchema): number {
  return between(draw, 0, tables.length - 1);
}

/** @param isAlone it refers to nothing */
function insertSql(
  draw: Draw,
  schema: string,
  random: RandomSchema,
  place: number,
  isAlone: boolean,
): string {
  const columns = writtenColumns(random, place).filter(([column]) => !isAlone || !/^[rp]\d/.test(column));
  const values = columns.map(([column, type]) => drawValue(draw, random, place, column, type));
  return `insert into ${qualifiedName(schema, random.tables[place]?.name ?? '')} (${columns.map(([column]) => column).join(', ')})
    overriding system value values (${values.join(', ')})`;
}

/** Has the rows of an id refer to a row by one of the foreign keys, if there is one. */
function linkSql(draw: Draw, schema: string, { tables, keys }: RandomSchema): string {
  if (keys.length === 0) return 'select';
  const { place, child, parent } = pick(draw, ...keys);
  const [from, to] = [tables[child], tables[parent]];
  if (from === undefined || to === undefined) return 'select';
  const [name, source] = [from.name, to.name].map((table) => qualifiedName(schema, table));
  const row = quoteLiteral(drawId(draw, to.idType));
  const columns =
    to.key === 'composite' ? `(r${place}, p${place}) = (select id, part` : `r${place} = (select id`;
  return `update ${name} set ${columns} from ${source} where id = ${row} order by part limit 1)
    where id = ${quoteLiteral(drawId(draw, from.idType))}`;
}

function drawField(draw: Draw, random: RandomSchema, place: number): readonly [string, string] {
  const columns = writtenColumns(random, place).filter(([column]) => column !== 'id' && column !== 'part');
  // Values of unique indexes more often: their rows have to go and come again.
  const seat = ['seat', 'int'] as const;
  const [column, type] = pick(draw, ...columns, seat, seat, seat);
  return [column, drawValue(draw, random, place, column, type)];
}

function drawValue(draw: Draw, random: RandomSchema, place: number, column: string, type: string): string {
  const table = random.tables[place];
  if (column === 'id') return quoteLiteral(drawId(draw, type));
  if (column === 'part') return `${between(draw, 1, 3)}`;
  if (column === 'tenant') return quoteLiteral(pick(draw, ...tenants, 'a', 'a'));
  if (between(draw, 0, 2) === 0) return 'null';
  if (column === 'at') return `${between(draw, 1, 4)}`;
  if (column === 'seat') return `${between(draw, 1, 6)}`;
  if (column.startsWith('r')) return quoteLiteral(drawId(draw, type));
  if (column.startsWith('p')) return `${between(draw, 1, 3)}`;
  const [, ...literals] = valueTypes[table?.values[column === 'v0' ? 0 : 1] ?? 0] ?? ['text', ''];
  return quoteLiteral(pick(draw, ...literals));
}

/** Few, so that rows meet; a numeric one may be the same and look otherwise. */
function drawId(draw: Draw, type: string): string {
  const id = `${between(draw, 1, 4)}`;
  return type === 'numeric' && isSo(draw) ? `${id}.0` : id;
}

function rekeySql(draw: Draw, name: string, table: RandomTable, where: string): string {
  // PostgreSQL updates no identity that is always generated.
  if (table.idType === 'bigint' || isSo(draw)) return `update ${name} set part = part % 3 + 1 ${where}`;
  return `update ${name} set id = ${quoteLiteral(drawId(draw, table.idType))} ${where}`;
}

/** Has two rows change their ids or seats. */
function swapSql(draw: Draw, name: string, table: RandomTable): string {
  const column = table.idType !== 'bigint' && isSo(draw) ? 'id' : 'seat';
  const [one, other] = [1, 2].map(() => quoteLiteral(`${between(draw, 1, 4)}`));
  const move = (from = '', to = '') => `update ${name} set ${column} = ${to} where ${column} = ${from}`;
  return [move(one, "'77'"), move(other, one), move("'77'", other)].join('; ');
}
