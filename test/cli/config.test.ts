import { describe, expect, it } from 'vitest';
import { thaw } from './thaw-command.ts';

describe('thaw config', () => {
  it('explains each setting with its words and default', async () => {
    const { exitCode, stdout } = await thaw(['config'], process.env);
    expect(exitCode).toBe(0);
    expect(stdout.split('\n')).toEqual(
      expect.arrayContaining([
        'databases[].port',
        '    Port of PostgreSQL. Default: 5432.',
        'restore_watermark.storage_type',
        '    Where the watermark is kept. One of s3, database, both. Default: "s3".',
      ]),
    );
  });

  it('gives the same for programs', async () => {
    const { stdout } = await thaw(['config', '--json'], process.env);
    expect(JSON.parse(stdout).settings).toContainEqual({
      path: 'version',
      description: 'Version of the file.',
      words: ['1.0', '2.0'],
      fallback: null,
    });
  });
});
