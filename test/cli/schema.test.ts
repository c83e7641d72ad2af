import { expect, it } from 'vitest';
import { pitrSql } from '../../src/postgres/pitr-sql.ts';
import { schemaSql } from '../../src/postgres/schema.ts';
import { thaw } from './thaw-command.ts';

const schema = (...flags: string[]) => thaw(['schema', '--sql', ...flags], process.env);

it('prints the schema that is asked for', async () => {
  expect((await schema()).stdout).toBe(schemaSql());
  expect((await schema('--pitr')).stdout).toBe(pitrSql('public'));
  const named = await schema('--pitr', '--schema', 'back"up');
  expect(named).toMatchObject({ exitCode: 0, stdout: pitrSql('back"up') });
  expect(named.stdout).toContain('create schema "back""up";');
});

it('refuses flags that do not go together', async () => {
  expect(await schema('--pitr', '--api')).toMatchObject({ exitCode: 1, stdout: '' });
  expect(await schema('--pitr', '--schema', 'a$$b')).toMatchObject({ exitCode: 1, stdout: '' });
  const { exitCode, stderr } = await schema('--schema', 'backup');
  expect(exitCode).toBe(1);
  expect(stderr).toContain('--schema: only what --pitr prints may be put into a schema of any name');
});
