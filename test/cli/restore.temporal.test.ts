import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeArchive } from '../harness/archive-writer.ts';
import { createRestoreSite, type RestoreSite } from './restore-site.ts';
import { ThawCommand, thaw } from './thaw-command.ts';

let site: RestoreSite;
beforeAll(async () => {
  site = await createRestoreSite();
});
afterAll(async () => {
  await site?.remove();
});

/** `thaw restore` of the whole table. */
function restoreAll(...flags: string[]): string[] {
  return ['restore', '--restore-all', '--database', site.database.name, '--table', 'audit_logs', ...flags];
}

const timeout = 180_000;

describe('before anything is restored', () => {
  it('lists archives in archive order', async () => {
    const { exitCode, stdout } = await thaw(
      ['restore', '--database', site.database.name, '--table', 'audit_logs'],
      site.env,
    );
    expect(exitCode).toBe(0);
    const lines = stdout.trim().split('\n');
    expect(lines).toHaveLength(10);
    expect(lines[0]).toMatch(/ KiB {2}\d{4}-.*Z {2}archives\/.*_20260104T052021Z_batch_001\.jsonl\.gz$/);
    expect(lines[9]).toBe(`9 archives of ${site.database.name}.audit_logs, 183.7 KiB`);
  });

  it('tells in a dry run what it would restore, and changes nothing', async () => {
    const { exitCode, stdout } = await thaw(restoreAll('--dry-run', '--start-date', '2026-01-20'), site.env);
    expect(exitCode).toBe(0);
    const lines = stdout.trim().split('\n');
    expect(lines[0]).toBe('DRY RUN: Would restore 5 archive file(s):');
    expect(lines[1]).toMatch(
      /^ {2}- archives\/.*\/day=20\/audit_logs_20260120T235959Z_batch_001\.jsonl\.gz$/,
    );
    const [table, rows, estimate] = lines.slice(-5);
    expect(table).toMatch(/^ {2}public\.audit_logs: 5 archives, 1,354 rows, \d+\.\d KiB uncompressed$/);
    expect(rows).toBe('    rows: 1,354 inserted, 0 updated, 0 skipped, 0 failed');
    expect(estimate).toMatch(/^ {4}estimate: at most \d+ s, \d+(\.\d)? KiB more on disk$/);
    expect(lines.at(-1)).toBe('Note: 0 archives were already restored, and would be left out');
    expect(await site.count()).toBe(0);
    const { rows: schemas } = await site.client.query(`select to_regnamespace('thaw') as made`);
    expect(schemas).toEqual([{ made: null }]);
  });

  it('ends with 1 for a database that is not configured, and names those that are', async () => {
    const { exitCode, stdout, stderr } = await thaw(
      ['restore', '--restore-all', '--database', 'nope', '--table', 'audit_logs'],
      site.env,
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toContain('InputInvalid: database "nope" is not in the configuration');
    expect(stderr).toContain(`hint: Name one of ${site.database.name}`);
  });

  it('ends with 1 and the usage when it is not told what to restore', async () => {
    const { exitCode, stderr } = await thaw(['restore', '--database', site.database.name], site.env);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('Usage: thaw restore');
  });

  it('says that nothing is running, and starts nothing', async () => {
    const { exitCode, stderr } = await thaw(['watch', '20260101-000000-abcdef'], site.env);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('InputInvalid: nothing is running');
  });
});

describe('a restore', () => {
  it('restores every row, and ends with the documented lines', { timeout }, async () => {
    const { exitCode, stdout, stderr } = await thaw(restoreAll(), site.env);
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    expect(stdout.split('\n').slice(-7)).toEqual([
      'Restore Summary:',
      '  Files processed: 9',
      '  Files failed: 0',
      '  Records restored: 2,500',
      '  Records skipped: 0',
      '  Records failed: 0',
      '',
    ]);
    await site.expectRestored();
  });

  it('loads nothing a second time, and prints one JSON object', { timeout }, async () => {
    const { exitCode, stdout } = await thaw(restoreAll('--json'), site.env);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      state: 'completed',
      tally: {
        archives: { restored: 0, earlier: 9, failed: 0 },
        rows: { inserted: 0, updated: 0, skipped: 0, failed: 0 },
      },
    });
    await site.expectRestored();
  });

  it('restores an archive that is named again, into another table too', { timeout }, async () => {
    await site.client.query('create table copy_of_logs (like audit_logs including all)');
    const [key] = (await site.bucket.keys()).filter((each) => each.endsWith('T052021Z_batch_001.jsonl.gz'));
    const args = [
      'restore',
      '--s3-key',
      key ?? '',
      '--database',
      site.database.name,
      '--table',
      'copy_of_logs',
    ];
    const { exitCode, stdout } = await thaw(args, site.env);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('  Records restored: 300');
    const { rows } = await site.client.query(
      'select count(*)::int as copied from copy_of_logs join audit_logs using (id)',
    );
    expect(rows).toEqual([{ copied: 300 }]);
  });

  it('ends with 1 for a table that is not there', { timeout }, async () => {
    const args = ['restore', '--restore-all', '--database', site.database.name, '--table', 'nope', '--json'];
    const { exitCode, stdout } = await thaw(args, site.env);
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      state: 'failed',
      tables: [{ target: 'public.nope', error: { code: 'TargetMissing' } }],
    });
  });

  it('is in the list of restores', async () => {
    const { exitCode, stdout } = await thaw(['status', '--json'], site.env);
    expect(exitCode).toBe(0);
    const { restores } = JSON.parse(stdout) as { restores: { state: string }[] };
    expect(restores.map(({ state }) => state)).toEqual(['failed', 'completed', 'completed', 'completed']);
  });
});

describe('a restore that is stopped', () => {
  const archives = 24;
  const rowsEach = 4_000;

  beforeAll(async () => {
    await site.client.query('create table bulk (id bigint primary key, note text)');
    for (let batch = 1; batch <= archives; batch += 1) {
      await writeArchive((key, body) => site.bucket.put(key, body), {
        database: site.database.name,
        table: 'bulk',
        archivedAt: new Date('2026-03-01T00:00:00Z'),
        batch,
        primaryKey: 'id',
        rows: Array.from({ length: rowsEach }, (_, row) => ({
          id: batch * rowsEach + row,
          note: `row ${row} of archive ${batch}: ${'x'.repeat(row % 50)}`,
        })),
      });
    }
  }, timeout);

  /** As many small commits as there are archives, so that there is a middle to be stopped in. */
  function restoreBulk(): string[] {
    const flags = ['--pack-bytes', '0', '--lanes', '2'];
    return ['restore', '--restore-all', '--database', site.database.name, '--table', 'bulk', ...flags];
  }

  async function bulkCount(): Promise<number> {
    const { rows } = await site.client.query<{ rows: number }>('select count(*)::int as rows from bulk');
    return rows[0]?.rows ?? 0;
  }

  async function untilSomeAreIn(command: ThawCommand): Promise<void> {
    const ended = command.ended().then(() => true);
    while ((await bulkCount()) === 0) {
      if (await Promise.race([ended, sleep(20, false)])) throw new Error(`it ended: ${command.stdout}`);
    }
  }

  it('goes on where it was when it was killed and the same command is given again', { timeout }, async () => {
    const killed = new ThawCommand(restoreBulk(), site.env);
    await untilSomeAreIn(killed);
    killed.kill('SIGKILL');
    await killed.ended();
    const before = await bulkCount();
    expect(before).toBeLessThan(archives * rowsEach);

    const { exitCode, stdout } = await thaw(restoreBulk(), site.env);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('begun before, goes on');
    expect(stdout).toContain(`  Files processed: ${archives}\n`);
    expect(stdout).toContain('  Records restored: 96,000\n');
    const { rows } = await site.client.query(
      'select count(*)::int as rows, count(distinct id)::int as ids, min(id)::int, max(id)::int from bulk',
    );
    expect(rows).toEqual([
      {
        rows: archives * rowsEach,
        ids: archives * rowsEach,
        min: rowsEach,
        max: (archives + 1) * rowsEach - 1,
      },
    ]);
    const ledger = await site.client.query(
      `select count(*)::int as archives, count(distinct restore_id)::int as restores, sum(inserted)::int as inserted
       from thaw.archives where target_oid = 'bulk'::regclass and state = 'restored'`,
    );
    expect(ledger.rows).toEqual([{ archives, restores: 1, inserted: archives * rowsEach }]);
  });

  it('is cancelled by an interrupt, and says so', { timeout }, async () => {
    await site.client.query(`delete from thaw.archives where target_oid = 'bulk'::regclass`);
    await site.client.query('truncate bulk');
    const command = new ThawCommand(restoreBulk(), site.env);
    await untilSomeAreIn(command);
    command.kill('SIGINT');
    const { exitCode, stdout } = await command.ended();
    expect(exitCode).toBe(130);
    expect(stdout).toContain('Cancelled: what was in flight is rolled back');
    const { rows } = await site.client.query(
      `select sum(inserted)::int as inserted from thaw.archives where target_oid = 'bulk'::regclass and state = 'restored'`,
    );
    expect(rows).toEqual([{ inserted: await bulkCount() }]);
  });

  it('gives way to another command on the same table when it was killed', { timeout }, async () => {
    await site.client.query(`delete from thaw.archives where target_oid = 'bulk'::regclass`);
    await site.client.query('truncate bulk');
    const killed = new ThawCommand(restoreBulk(), site.env);
    await untilSomeAreIn(killed);
    killed.kill('SIGKILL');
    await killed.ended();
    const { exitCode, stderr } = await thaw([...restoreBulk(), '--conflict-strategy', 'overwrite'], site.env);
    expect(stderr).toMatch(/Restore \S+ gives way/);
    expect(exitCode).toBe(0);
    expect(await bulkCount()).toBe(archives * rowsEach);
  });
});
