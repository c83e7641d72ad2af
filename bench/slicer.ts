/**
 * How fast archives become COPY text: what a worker does with each byte before PostgreSQL has it.
 *
 *     npx tsc -p bench/tsconfig.json && node dist/bench/slicer.js
 */

import { gzipSync } from 'node:zlib';
import { readArchive } from '../src/archive/decompress.ts';
import { Slicer } from '../src/archive/slicer.ts';
import { archivedRow, auditRow, database, table } from './audit-log.ts';

const archives = 200;
const rowsEach = 1_000;
const rounds = 12;

const columns = (
  [
    ['id', 'int8'],
    ['user_id', 'int4'],
    ['action', 'text'],
    ['resource', 'varchar'],
    ['metadata', 'jsonb'],
    ['created_at', 'timestamptz'],
  ] as const
).map(([name, type]) => ({ name, key: name, type: { kind: 'scalar', name: type } as const }));

/** The JSON lines of an archive, as the archiver writes them. */
function jsonLines(archive: number): Buffer {
  const own = {
    _archived_at: '2025-04-13T12:00:02.339489+00:00Z',
    _batch_id: '19e72ad092cde46c',
    _source_database: database,
    _source_table: table,
  };
  const lines = Array.from({ length: rowsEach }, (_, row) => {
    const record = { ...archivedRow(auditRow(archive * rowsEach + row + 1)), ...own };
    const members = Object.entries(record).map(([key, value]) => `"${key}": ${JSON.stringify(value)}`);
    return `{${members.join(', ')}}`;
  });
  return Buffer.from(lines.join('\n'));
}

/** Runs `step` for some rounds and prints its best: the machine may have other work. */
async function measure(name: string, bytes: number, step: () => Promise<void> | void): Promise<void> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round += 1) {
    const before = process.cpuUsage();
    await step();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1e6);
  }
  const perMillion = (best / (archives * rowsEach)) * 1e6;
  process.stdout.write(
    `${name.padEnd(34)}${(bytes / best / 1e6).toFixed(0).padStart(6)} MB/s ${perMillion.toFixed(2).padStart(6)} CPU s per million rows\n`,
  );
}

const plain = Array.from({ length: archives }, (_, archive) => jsonLines(archive));
const packed = plain.map((lines) => gzipSync(lines));
const bytes = plain.reduce((sum, lines) => sum + lines.length, 0);

async function decompress(digest: boolean): Promise<void> {
  for (const object of packed) {
    for await (const chunk of readArchive([object], { digest }).chunks) chunk.length;
  }
}

function slice(lines: Buffer): void {
  const slicer = new Slicer(columns);
  for (const piece of slicer.push(lines)) piece.release();
  for (const piece of slicer.end()) piece.release();
}

await measure('decompress', bytes, () => decompress(false));
await measure('decompress and take both SHA-256', bytes, () => decompress(true));
await measure('slice', bytes, () => plain.forEach(slice));
await measure('JSON.parse alone, for comparison', bytes, () => {
  for (const lines of plain) for (const line of lines.toString().split('\n')) JSON.parse(line);
});
