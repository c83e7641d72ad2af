import { afterEach, expect, test } from 'vitest';
import { isDumpOf, nameTime } from '../../../src/dump/choose/dump-name.ts';

const zone = process.env.TZ;
afterEach(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

function timeOf(key: string): string | null {
  const time = nameTime(key);
  if (time === null) return null;
  const from = new Date(time.from).toISOString();
  return time.from === time.to ? from : `${from} to ${new Date(time.to).toISOString()}`;
}

// In New York, five hours behind UTC in winter.
test.each([
  // The S3 tool, and its relative that says .sql.gz of a tar.
  ['backup-2025-12-12T08-42-31-456Z.tar.gz', 'backup', '2025-12-12T08:42:31.456Z'],
  ['prod/backup-2025-12-12T08-42-31-456Z.sql.gz', 'backup', '2025-12-12T08:42:31.456Z'],
  ['backup-2025-12-12T08-42-31-456Z', 'backup', '2025-12-12T08:42:31.456Z'],
  ['nightly-eu-2025-12-12T08-42-31Z.tar.gz', 'nightly-eu', '2025-12-12T08:42:31.000Z'],
  ['my.app-2025-12-12T08-42-31Z.dump', 'my.app', '2025-12-12T08:42:31.000Z'],
  // Render's.
  ['2025/12/12/backup-08-42-31.sql.gz', 'backup', '2025-12-12T13:42:31.000Z'],
  ['deep/2025/12/12/backup-08-42-31.sql.gz', 'backup', '2025-12-12T13:42:31.000Z'],
  // postgres-backup-s3.
  ['backup/shop_2025-12-12T08:42:31.dump', 'shop', '2025-12-12T13:42:31.000Z'],
  ['backup/shop_2025-12-12T08:42:31.dump.gpg', 'shop', '2025-12-12T13:42:31.000Z'],
  ['backup/shop_2025-12-12T08:42:31+01:00.dump', 'shop', '2025-12-12T07:42:31.000Z'],
  ['backup/shop_2025-12-12T08:42:31-0500.dump', 'shop', '2025-12-12T13:42:31.000Z'],
  // postgres-backup-local.
  ['last/shop-20251212-084231.sql.gz', 'shop', '2025-12-12T13:42:31.000Z'],
  ['daily/shop-20251212.sql.gz', 'shop', '2025-12-12T05:00:00.000Z to 2025-12-13T04:59:59.999Z'],
  ['weekly/shop-202550.sql.gz', 'shop', null],
  ['monthly/shop-202512.sql.gz', 'shop', null],
  ['last/shop-latest.sql.gz', 'shop', null],
  // The procedures.
  ['argus_20231201_020000.sql.gz', 'argus', '2023-12-01T07:00:00.000Z'],
  ['argus_db_20231201_020000.sql', 'argus_db', '2023-12-01T07:00:00.000Z'],
  ['shop_20240701_020000.dump', 'shop', '2024-07-01T06:00:00.000Z'],
  ['a "b" é_20231201T020000Z.dump', 'a "b" é', '2023-12-01T02:00:00.000Z'],
  // Others.
  ['dump.sql.gz', 'dump', null],
  ['my.app.dump', 'my.app', null],
  ['shop_20230231_020000.sql.gz', 'shop', null],
  ['shop_20231301_020000.sql.gz', 'shop', null],
  ['shop_20231201_250000.sql.gz', 'shop', null],
])('%s is a dump of %s, taken at %s', (key, begin, time) => {
  process.env.TZ = 'America/New_York';
  expect(isDumpOf(key, ['x', begin])).toBe(true);
  expect(timeOf(key)).toBe(time);
});

test('a time without zone is in the local time of this process', () => {
  process.env.TZ = 'Asia/Tokyo';
  expect(timeOf('argus_20231201_020000.sql.gz')).toBe('2023-11-30T17:00:00.000Z');
  expect(timeOf('backup-2025-12-12T08-42-31-456Z.tar.gz')).toBe('2025-12-12T08:42:31.456Z');
});

test.each([
  ['argus_old_20231201_020000.sql.gz', 'argus'],
  ['backup-old-2025-12-12T08-42-31-456Z.tar.gz', 'backup'],
  ['argus2_20231201_020000.sql.gz', 'argus'],
  ['argus-db_20231201_020000.sql.gz', 'argus'],
  ['my-argus_20231201_020000.sql.gz', 'argus'],
  ['Argus_20231201_020000.sql.gz', 'argus'],
  ['argus_20231201_020000.sql.gz/', 'argus'],
  ['argus/other_20231201_020000.sql.gz', 'argus'],
  ['backup-08-42-31.sql.gz', 'backup'],
  ['2025/12/12/backup-old-08-42-31.sql.gz', 'backup'],
  ['backup-2025-12-12T08-42-31-456Z.tar.gz.manifest.json', 'backup'],
  ['backup-2025-12-12T08-42-31-456Z.tar.gz.md5', 'backup'],
  ['backup-2025-12-12T08-42-31-456Z.tar.gz.sha256', 'backup'],
  ['backup.txt', 'backup'],
  ['backup-latest.log', 'backup'],
])('%s is no dump of %s', (key, begin) => {
  expect(isDumpOf(key, [begin])).toBe(false);
});
