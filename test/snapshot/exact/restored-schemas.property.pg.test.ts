import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SnapshotPreview } from '../../../src/contract/snapshot-preview.ts';
import { qualifiedName } from '../../../src/postgres/identifier.ts';
import { isSqlState, sqlState } from '../../../src/postgres/sqlstate.ts';
import { type Draw, isSo, pick } from './draw.ts';
import { contentOf, copyRows, makeExpected, surroundings } from './exact-model.ts';
import { type ExactRestore, type ExactSite, openExactSite } from './exact-site.ts';
import {
  drawSchema,
  groundSql,
  keysSql,
  type RandomSchema,
  tablesSql,
  triggersSql,
} from './random-schema.ts';
import { drawChanges, drawRows, tenants } from './random-work.ts';

/** Runs in `npm test`; `npm run soak` goes on for minutes. */
const runs = 12;
const soak = process.env.THAW_SOAK_SECONDS;

let site: ExactSite;

beforeAll(async () => {
  site = await openExactSite('exact_schemas');
  await site.client.query(groundSql);
});
afterAll(() => site.close());

interface Round {
  readonly random: RandomSchema;
  readonly rows: readonly string[];
  readonly changes: readonly string[];
  readonly restore: ExactRestore;
}

function drawRound(draw: Draw): Round {
  const isMerge = isSo(draw);
  const random = drawSchema(draw, isMerge);
  // The last is cut down to another tenant by what does not look.
  const tenant = isSo(draw) ? { column: 'tenant', value: pick(draw, ...tenants, 'a', 'abcdef') } : null;
  return {
    random,
    rows: drawRows(draw, 'shop', random),
    changes: drawChanges(draw, 'shop', random),
    // In some rounds every row is one too many for keys to be looked at row by row.
    restore: { tenant, newerBy: isMerge ? 'at' : null, slowKeys: isSo(draw) ? 0 : undefined },
  };
}

/** Tries each statement; one that breaks a key does nothing. */
async function attempt(statements: readonly string[]): Promise<void> {
  await site.client.query('select public.attempt(statement) from unnest($1::text[]) as statement', [
    statements,
  ]);
}

async function playRound({ random, rows, changes, restore }: Round): Promise<'restored' | 'refused'> {
  const { client } = site;
  await client.query(
    `drop schema if exists shop cascade; create schema shop; ${tablesSql('shop', random)};
     ${keysSql('shop', random)}; ${triggersSql('shop', random)}`,
  );
  await attempt(rows);
  await copyRows(client, 'shop', 'before', random);
  const names = random.tables.filter(({ isIn }) => isIn).map(({ name }) => ({ schema: 'shop', table: name }));
  const manifest = await site.take(names, restore.tenant);
  await attempt(changes);
  await copyRows(client, 'shop', 'now', random);
  await client.query('truncate public.fired');
  const around = await surroundings(client, 'shop');
  const canBe = await makeExpected(client, random, restore);
  await expectOwnRows(names, restore, manifest.totalRows);

  let told: SnapshotPreview | null = null;
  const onPreview = (preview: SnapshotPreview) => {
    told = preview;
  };
  const restored = site.restore(manifest, restore, { onPreview });
  const refusal = await restored.then(
    () => null,
    (error: unknown) => error,
  );
  expectForeseen(told, refusal);
  if (canBe) expect(refusal).toBeNull();
  else expect(refusal).toMatchObject({ code: expect.stringMatching(/RowRejected|ConflictFound/) });

  expect(await contentOf(client, 'shop', random)).toEqual(
    await contentOf(client, canBe ? 'expected' : 'now', random),
  );
  expect(await surroundings(client, 'shop')).toEqual(around);
  expect((await client.query('select * from public.fired')).rows).toEqual([]);
  const { rows: left } = await client.query(`select nspname from pg_namespace where nspname like 'thaw%'`);
  expect(left).toEqual([]);
  return canBe ? 'restored' : 'refused';
}

/** The preview says of itself why the restore is refused, but for exclusion constraints. */
function expectForeseen(told: SnapshotPreview | null, refusal: unknown): void {
  const issues = told?.issues.map(({ issue }) => issue);
  if (refusal === null) expect(issues).toEqual([]);
  else if (!isSqlState(refusal, sqlState.exclusionViolation)) {
    expect(
      issues?.some((issue) => String(refusal).includes(issue)),
      `${refusal} in ${issues}`,
    ).toBe(true);
  }
}

/** No row of another tenant is in the snapshot, and none of the tenant's own is missing. */
async function expectOwnRows(
  names: readonly { readonly table: string }[],
  { tenant }: ExactRestore,
  total: number,
): Promise<void> {
  const counts = names.map(
    ({ table }) =>
      `select count(*) from ${qualifiedName('before', table)} where $1::text is null or rtrim(tenant::text) = $1`,
  );
  const { rows } = await site.client.query<{ total: string }>(
    `select sum(count) as total from (${counts.join(' union all ')}) as one`,
    [tenant?.value ?? null],
  );
  expect(total).toBe(Number(rows[0]?.total));
}

test(
  'tables of any schema become what a model says, or all stay as they were where something else would break',
  async () => {
    const limit = soak === undefined ? {} : { interruptAfterTimeLimit: Number(soak) * 1000 };
    let last: Promise<unknown> = Promise.resolve();
    const property = fc.asyncProperty(fc.gen(), async (draw) => {
      last = playRound(drawRound(draw));
      await last;
    });
    await fc.assert(property, { numRuns: soak === undefined ? runs : 1_000_000, ...limit });
    // The time may be over in the middle of a round.
    await last;
  },
  (Number(soak ?? 0) + 280) * 1000,
);

test('whoever may not see all rows takes no snapshot, and one that sees them by a right does', async () => {
  const { client, session } = site;
  const user = await session.makeUser();
  await client.query(`
    drop schema if exists shop cascade; create schema shop;
    create table shop.secrets (id int primary key, owner text);
    insert into shop.secrets values (1, 'mine'), (2, 'theirs');
    alter table shop.secrets enable row level security;
    create policy own on shop.secrets using (owner = 'mine');
    grant usage on schema shop to "${user}";
    grant select on shop.secrets to "${user}"`);
  const names = [{ schema: 'shop', table: 'secrets' }];
  const tenant = { column: 'owner', value: 'mine' };
  for (const part of [null, tenant]) {
    await expect(site.take(names, part, user)).rejects.toMatchObject({ code: 'PermissionDenied' });
  }
  await client.query(`alter role "${user}" bypassrls`);
  expect(await site.take(names, null, user)).toMatchObject({ totalRows: 2 });
});
