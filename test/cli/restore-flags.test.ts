import { Command } from 'commander';
import { expect, it } from 'vitest';
import { type RestoreFlags, restoreInputOf, withRestoreFlags } from '../../src/cli/restore-flags.ts';

function parse(...args: string[]) {
  const command = withRestoreFlags(new Command()).exitOverride();
  command.parse(args, { from: 'user' });
  return restoreInputOf(command.opts<RestoreFlags>());
}

it('reads the flags of the archive guide', () => {
  const input = parse(
    ...['--restore-all', '--database', 'production_db', '--table', 'audit_logs', '--table', 'events'],
    ...['--start-date', '2026-01-01', '--end-date', '2026-01-31', '--conflict-strategy', 'UPSERT'],
    ...['--schema-migration-strategy', 'transform', '--drop-indexes', '--commit-frequency', '10'],
    ...['--no-validate-checksum', '--ignore-watermark', '--pack-bytes', '512k'],
  );
  expect(input).toMatchObject({
    restore_all: true,
    database: 'production_db',
    tables: ['audit_logs', 'events'],
    start_date: '2026-01-01',
    end_date: '2026-01-31',
    conflict_strategy: 'upsert',
    schema_migration_strategy: 'transform',
    drop_indexes: true,
    commit_frequency: 10,
    validate_checksum: false,
    ignore_watermark: true,
    pack_bytes: 524_288,
    lanes: 4,
    fail_fast: false,
    dry_run: false,
  });
});

it('takes columns as a list, and renamed ones as pairs', () => {
  const flags = ['--key', 'tenant, id', '--map-column', 'old=new', '--map-column', 'a=b'];
  expect(parse('--restore-all', ...flags)).toMatchObject({
    key: ['tenant', 'id'],
    map_column: { old: 'new', a: 'b' },
  });
  expect(() => parse('--restore-all', '--map-column', 'old')).toThrow(
    '--map-column: must be archived=column (got "old")',
  );
});

it('makes tables only where it is asked to', () => {
  expect(parse('--restore-all', '--create-table').create_table).toBe(true);
  expect(parse('--restore-all').create_table).toBe(false);
});

it('drops indexes where it pays, or as it is told', () => {
  expect(parse('--restore-all', '--drop-indexes').drop_indexes).toBe(true);
  expect(parse('--restore-all', '--drop-indexes=always').drop_indexes).toBe('always');
  expect(parse('--restore-all').drop_indexes).toBe(false);
});

it('takes several keys', () => {
  expect(parse('--s3-key', 'a', '--s3-key', 'b').s3_keys).toEqual(['a', 'b']);
});

it('names the flag that is wrong', () => {
  expect(() => parse('--restore-all', '--commit-frequency', 'often')).toThrow(
    '--commit-frequency: must be a whole number from 1 to 100000 (got "often")',
  );
});
