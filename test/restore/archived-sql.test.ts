import { expect, test } from 'vitest';
import { isSafeExpression, readIndexDefinition } from '../../src/restore/archived-sql.ts';

test.each([
  `'new'::text`,
  'now()',
  'CURRENT_TIMESTAMP',
  `(now() AT TIME ZONE 'utc'::text)`,
  'gen_random_uuid()',
  `'{}'::jsonb`,
  `ARRAY['a'::text, 'it''s'::text]`,
  `'{1,2}'::integer[]`,
  `'happy'::public.mood`,
  `B'101'::"bit"`,
  '(-1)',
  '((qty > 0))',
  `((status = ANY (ARRAY['new'::text, 'paid'::text])))`,
  `((("Order Date" IS NOT NULL) AND (char_length(name) <= 20)) OR (code ~ '^\\d+; --$'::text))`,
  `CASE WHEN (a IS DISTINCT FROM (b)) THEN ((x ->> 'k'::text) <> ''::text) ELSE COALESCE(y, false) END`,
  `(EXTRACT(year FROM created_at) >= (2000)::numeric)`,
  `((amount)::numeric(10,2) > '0'::numeric(10,2))`,
  `"substring"(name, 1, 2)`,
])('takes over %s', (sql) => {
  expect(isSafeExpression(sql)).toBe(true);
});

test.each([
  ['a function that is not listed', 'pg_sleep(10)'],
  ['a function in quotes', '"pg_sleep"(10)'],
  ['a function of a schema', 'public.lower(name)'],
  ['a function after a blank or a line', 'pg_sleep \n (10)'],
  ['a function behind a listed one', `lower(pg_read_file('/etc/passwd'))`],
  ['a function written like a column', '(audit_logs.wipe)'],
  ['a second statement', `'x'; drop table t`],
  ['a second statement after the parenthesis', `1); drop table t; --`],
  ['what ends the parenthesis', `1) , add column x int default (2`],
  ['another constraint after it', '1 = 1) not valid, add check (true'],
  ['a comment', '1 -- x'],
  ['a comment in an operator', '1 +-- x'],
  ['a comment of several lines', '1 /* x */'],
  ['a query', '(select 1)'],
  ['a table', 'exists (table pg_authid)'],
  ['a query in an array', 'ARRAY(select 1)'],
  ['a text that ends elsewhere', `E'\\' || pg_sleep(1) || '`],
  ['the same in small letters', `e'\\' || pg_sleep(1) || '`],
  ['a text that does not end', `'x`],
  ['a text in dollars', `$$x$$`],
  ['a parameter', '$1'],
  ['an operator by its name', 'a OPERATOR(public.+) b'],
  ['a list', `1, 2`],
  ['nothing', ''],
  ['a sequence', `nextval('other'::regclass)`],
  ['what is too long', '1+'.repeat(20_000).concat('1')],
])('leaves out %s', (_, sql) => {
  expect(isSafeExpression(sql)).toBe(false);
});

test('reads an index apart, and never keeps its table', () => {
  const definition =
    'CREATE UNIQUE INDEX "line items by sku" ON ONLY public."x.y" USING btree (sku, lower("Unit Price") DESC NULLS LAST) ' +
    `INCLUDE (a) WITH (fillfactor='70') WHERE (kind = 'ON x USING y (z)'::text)`;
  expect(readIndexDefinition(definition)).toEqual({
    unique: true,
    method: 'btree',
    rest: definition.slice(definition.indexOf('(sku')),
  });
  expect(readIndexDefinition('CREATE INDEX a ON b USING gin (c jsonb_path_ops)')).toEqual({
    unique: false,
    method: 'gin',
    rest: '(c jsonb_path_ops)',
  });
});

test.each([
  ['another statement', 'DROP TABLE x'],
  ['a statement behind it', 'CREATE INDEX a ON b USING btree (c); DROP TABLE x'],
  ['a function that is not listed', 'CREATE INDEX a ON b USING btree (evil(c))'],
  ['a function in its condition', 'CREATE INDEX a ON b USING btree (c) WHERE pg_sleep(1) IS NULL'],
  ['a method in quotes', 'CREATE INDEX a ON b USING "x" (c)'],
  ['no columns', 'CREATE INDEX a ON b USING btree c'],
])('leaves out an index with %s', (_, definition) => {
  expect(readIndexDefinition(definition)).toBe(null);
});
