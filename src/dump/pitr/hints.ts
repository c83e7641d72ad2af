/** What to do about a base backup that is damaged. */
export const baseHint = 'Restore from another base backup, and take a new one.';

/** What to do about WAL that is damaged. */
export const walHint = 'Bring back another copy of the segment, or stop before it with --target-lsn.';

/** What to set up where point in time recovery is not possible yet, as it is told to who asks for it. */
export const walSetup = [
  'Recovery to a point in time needs a base backup and all WAL since. To have both from now on:',
  "1. In postgresql.conf of the server: archive_mode = on, archive_timeout = 60, and archive_command = 'test ! -f /archive/wal/%f && cp %p /archive/wal/%f',",
  "   or for S3: archive_command = 'aws s3 cp %p s3://bucket/wal/%f'; then restart it. (Or run pg_receivewal -D /archive/wal --slot thaw on another machine.)",
  '2. Every night: pg_basebackup -D /archive/base/$(date +%F) --format=tar --gzip --checkpoint=fast (and copy it to s3://bucket/base/).',
  'docs/point-in-time.md tells more.',
].join('\n');
