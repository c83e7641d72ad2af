import { expect, it } from 'vitest';
import { toPreviewJson } from '../../src/api/preview-json.ts';
import { previewLines } from '../../src/cli/preview-lines.ts';
import type { ArchiveFailure } from '../../src/contract/outcome.ts';
import { defaultRestoreOptions, type RestoreRequest } from '../../src/contract/restore-request.ts';
import type { TablePreview } from '../../src/preview/restore-preview.ts';

const request: RestoreRequest = {
  ...{ restoreId: '', fingerprint: '', database: 'shop', tables: null, keys: null },
  options: defaultRestoreOptions,
};

const failure: ArchiveFailure = {
  ...{ archive: 'archives/shop/orders/b.jsonl.gz', message: 'b: wrong', hint: 'Bring it back.' },
  ...{ code: 'ChecksumMismatch', stage: null, rows: 3 },
};

function preview(table: string, inserted: number, failures: readonly ArchiveFailure[]): TablePreview {
  const failed = failures.length;
  const archive = { etag: '', modifiedAt: '2026-01-04T05:20:21Z', storageClass: null, bytes: 1024 };
  return {
    table: { table, schema: 'public', intoSchema: 'public', intoTable: table },
    archives: [{ ...archive, key: `archives/shop/${table}/a.jsonl.gz` }],
    earlier: 1,
    totals: { rows: 1500, uncompressedBytes: 2048, unknown: 0 },
    outcome: {
      tally: {
        archives: { restored: 1, earlier: 0, failed },
        rows: { inserted, updated: 20, skipped: 3, failed: 3 * failed },
        bytes: 1024,
      },
      ...{
        failures,
        error: null,
        columnNotes: [],
        notices: ['Column x: dropped.'],
        unforeseen: ['A trigger.'],
      },
      estimate: { seconds: 61, diskBytes: 4096 },
    },
    notices: [],
  };
}

const previews = [preview('orders', 1000, [failure]), preview('lines', 5, [])];

it('tells of each table and in sum what would become of the rows', () => {
  expect(previewLines(request, previews)).toEqual([
    'DRY RUN: Would restore 2 archive file(s):',
    '  - archives/shop/orders/a.jsonl.gz',
    '  - archives/shop/lines/a.jsonl.gz',
    'Into: public.orders, public.lines of shop, 2.0 KiB compressed',
    '  public.orders: 1 archive, 1,500 rows, 2.0 KiB uncompressed',
    '    rows: 1,000 inserted, 20 updated, 3 skipped, 3 failed; 1 archive would fail',
    '    estimate: at most 1 min 1 s, 4.0 KiB more on disk',
    '    Would fail: archives/shop/orders/b.jsonl.gz',
    '      ChecksumMismatch: b: wrong',
    '      hint: Bring it back.',
    '  public.lines: 1 archive, 1,500 rows, 2.0 KiB uncompressed',
    '    rows: 5 inserted, 20 updated, 3 skipped, 0 failed',
    '    estimate: at most 1 min 1 s, 4.0 KiB more on disk',
    '  In sum: rows: 1,005 inserted, 40 updated, 6 skipped, 3 failed; 1 archive would fail',
    '    estimate: at most 2 min 2 s, 8.0 KiB more on disk',
    expect.stringContaining('Note: estimates are measured by this dry run'),
    'Note: 2 archives were already restored, and would be left out',
    'Note: public.orders: Column x: dropped.',
    'Note: public.orders: A trigger.',
    'Note: public.lines: Column x: dropped.',
    'Note: public.lines: A trigger.',
  ]);
});

it('leaves out what was not counted', () => {
  const lines = previewLines(request, [{ ...preview('orders', 1, []), outcome: null }]);
  expect(lines.join('\n')).not.toMatch(/inserted|estimate/);
});

it('tells the same by the API', () => {
  expect(toPreviewJson(request, previews).tables[0]).toMatchObject({
    archives_restored_earlier: 1,
    outcome: {
      ...{ archives_restored: 1, archives_failed: 1 },
      ...{ rows_inserted: 1000, rows_updated: 20, rows_skipped: 3, rows_failed: 3 },
      ...{ estimated_seconds: 61, estimated_disk_bytes: 4096 },
      failures: [{ archive: failure.archive, code: 'ChecksumMismatch' }],
      unforeseen: ['A trigger.'],
    },
  });
});
