import { describe, expect, it } from 'vitest';
import { configFields } from '../../src/config/config-help.ts';
import { idleProgram } from '../cli/parsed-command.ts';
import { codeIn, readDocument, tableRows } from './markdown.ts';

const document = readDocument('docs/migrating.md');

/** The flags of the archiver's own `restore.main`. */
const restoreFlags = [
  ...['--config', '--s3-key', '--restore-all', '--start-date', '--end-date', '--database', '--table'],
  ...['--schema', '--conflict-strategy', '--schema-migration-strategy', '--batch-size', '--drop-indexes'],
  ...['--commit-frequency', '--no-validate-checksum', '--no-detect-conflicts', '--dry-run', '--verbose'],
  ...['--log-level', '--log-format', '--ignore-watermark'],
];

/** Those of its `validate.main`. */
const validateFlags = [
  ...['--config', '--database', '--table', '--start-date', '--end-date', '--s3-key', '--verbose'],
  ...[
    '--no-validate-checksum',
    '--no-validate-record-count',
    '--output-format',
    '--log-level',
    '--log-format',
  ],
];

const s3Keys = [
  ...['endpoint', 'bucket', 'prefix', 'region', 'storage_class', 'encryption', 'multipart_threshold_mb'],
  ...['rate_limit_requests_per_second', 'local_fallback_dir', 'local_fallback_retention_days'],
  ...['access_key_id', 'secret_access_key', 'aws_access_key_id', 'aws_secret_access_key'],
];
const defaultKeys = [
  ...['retention_days', 'batch_size', 'sleep_between_batches', 'vacuum_after', 'vacuum_strategy'],
  ...['parallel_databases', 'max_parallel_databases', 'connection_pool_size', 'compression_level'],
  ...['fail_on_schema_drift', 'lock_type', 'watermark_storage_type', 'checkpoint_storage_type'],
  ...['checkpoint_interval', 'audit_trail_storage_type'],
];
const databaseKeys = [
  ...['name', 'host', 'port', 'user', 'password_env', 'password', 'read_replica', 'connection_pool_size'],
];
const tableKeys = [
  ...['name', 'schema', 'timestamp_column', 'primary_key', 'retention_days', 'batch_size', 'critical'],
];
/** The keys of the archiver's `config.yaml`. */
const configKeys = [
  'version',
  ...s3Keys.map((key) => `s3.${key}`),
  ...databaseKeys.map((key) => `databases[].${key}`),
  ...tableKeys.map((key) => `databases[].tables[].${key}`),
  ...defaultKeys.map((key) => `defaults.${key}`),
  ...['legal_holds', 'compliance', 'monitoring', 'notifications'],
  ...['enabled', 'storage_type', 'update_after_each_archive'].map((key) => `restore_watermark.${key}`),
];

function flagsOf(name: string): string[] {
  const command = idleProgram().commands.find((each) => each.name() === name);
  return (command?.options ?? []).flatMap(({ long }) => long ?? []);
}

describe.each([
  ['flag', restoreFlags, 'restore'],
  ['flag of `validate.main`', validateFlags, 'validate'],
])('the table headed %s', (heading, flags, command) => {
  const rows = tableRows(document, heading);

  it('has every flag of the Python tool, and no other', () => {
    expect(rows.flatMap(([flag = '']) => codeIn(flag)).sort()).toEqual([...flags].sort());
  });

  it('names no flag of Thaw that is not there', () => {
    const named = rows.flatMap((cells) => codeIn(cells.join(' '))).filter((code) => code.startsWith('--'));
    const known = flagsOf(command);
    expect(named.map((flag) => flag.replace(/=.*/, '')).filter((flag) => !known.includes(flag))).toEqual([]);
  });
});

describe('the table of configuration keys', () => {
  const rows = tableRows(document, 'key');

  it('has every key of the Python tool, and no other', () => {
    expect(rows.flatMap(([key = '']) => codeIn(key)).sort()).toEqual([...configKeys].sort());
  });

  it('says of a key that it is passed over just where Thaw reads none of that name', () => {
    const read = new Set(configFields().map(({ path }) => path));
    for (const [keys = '', verdict] of rows) {
      for (const key of codeIn(keys)) expect([key, verdict === 'passed over']).toEqual([key, !read.has(key)]);
    }
  });
});

it('names no flag in its text that no command has', () => {
  const known = new Set(idleProgram().commands.flatMap((command) => flagsOf(command.name())));
  const named = codeIn(document).filter((code) => code.startsWith('--'));
  expect(named.map((flag) => flag.replace(/=.*/, '')).filter((flag) => !known.has(flag))).toEqual([]);
});
