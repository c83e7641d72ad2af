import { expect, test } from 'vitest';
import {
  changeHands,
  type Grant,
  grantStatements,
  revokeStatements,
  shortfall,
  surplus,
} from '../../src/postgres/acl.ts';

/** `reader SELECT owner`: who has what from whom; with `*` it may be handed on. */
function grant(text: string): Grant {
  const [grantee = '', privilege = '', grantor = ''] = text.split(' ');
  return {
    grantor,
    grantee: grantee === 'public' ? null : grantee,
    privilege: privilege.replace('*', ''),
    grantable: privilege.endsWith('*'),
  };
}

const grants = (...texts: string[]) => texts.map(grant);
const table = { on: 'table public.t', owner: 'o' };
const sqlOf = (statements: { sql: string }[]) => statements.map(({ sql }) => sql);

test('what changes hands goes to the new owner, as grantor and as grantee, once', () => {
  expect(
    changeHands(grants('o SELECT o', 'p SELECT* o', 'r SELECT p', 'public SELECT o', 'p UPDATE o'), 'o', 'p'),
  ).toEqual(grants('p SELECT* p', 'r SELECT p', 'public SELECT p', 'p UPDATE p'));
});

test('nothing too much and nothing too little is nothing to do', () => {
  const same = grants('o SELECT o', 'r SELECT* o', 'public INSERT r');
  expect(surplus(same, [...same].reverse())).toEqual([]);
  expect(shortfall(same, [...same].reverse(), 'o')).toEqual([]);
});

test('what is too much is revoked in the name of who gave it, the right to hand on alone where that is all', () => {
  const have = grants('r SELECT o', 'r INSERT o', 'l SELECT* o', 'r SELECT l', 'public UPDATE o');
  const statements = revokeStatements(table, surplus(have, grants('l SELECT o', 'public UPDATE o')));
  expect(sqlOf(statements)).toEqual([
    'revoke select, insert on table public.t from "r" cascade',
    'set local role "l"; revoke select on table public.t from "r" cascade; set local role none',
    'revoke grant option for select on table public.t from "l" cascade',
  ]);
});

test('who hands something on has it before, whatever the order of the list', () => {
  const want = grants('z SELECT y', 'y SELECT* x', 'public SELECT o', 'x SELECT* o', 'x INSERT* o');
  const statements = grantStatements(table, shortfall([], want, 'o'));
  expect(sqlOf(statements)).toEqual([
    'grant select on table public.t to public',
    'grant select, insert on table public.t to "x" with grant option',
    'set local role "x"; grant select on table public.t to "y" with grant option; set local role none',
    'set local role "y"; grant select on table public.t to "z"; set local role none',
  ]);
  // who may not be the other grants it as the owner
  expect(statements[3]?.otherwise).toBe('grant select on table public.t to "z"');
});

test('columns and defaults', () => {
  expect(sqlOf(grantStatements({ ...table, column: 'a "b' }, grants('r SELECT o', 'r UPDATE o')))).toEqual([
    'grant select ("a ""b"), update ("a ""b") on table public.t to "r"',
  ]);
  const prefix = 'alter default privileges for role "o" in schema s ';
  expect(sqlOf(grantStatements({ prefix, on: 'tables', owner: 'o' }, grants('r SELECT o')))).toEqual([
    'alter default privileges for role "o" in schema s grant select on tables to "r"',
  ]);
});
