// Records the histories of test/replay from the present code, by running the tests that produce them.
// When to do so: see test/workflows/replay.test.ts.
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { root } from './bootstrap.mjs';

const folder = path.join(root, 'test', 'replay');
for (const file of readdirSync(folder)) if (file.endsWith('.json')) rmSync(path.join(folder, file));

const tests = [
  'an error of one table',
  'pause and resume reach',
  'waits for all tables',
  'share children',
  'pause --now rolls back',
  'failed archives do not',
  'count over runs',
  'of the source system comes in whole',
  'under error and replace',
  'done again at resume',
  'nothing else when it is cancelled',
  'proved, loaded beside',
  'the good one before it is named',
  'is removed, and nothing is swapped',
  'cancelled in any step',
  'takes hold before the next step',
  'holds is busy',
  'a drill restores into',
  'of a backup that is not good',
  'drops its scratch place when it is cancelled',
  'a recovery goes step by step',
  'a recovery that is not what',
  'a recovery that was paused',
  'proved before its services are stopped',
  'are swapped back',
  'while it loads is put back',
  'waits for an operator',
  'before its next step',
  'its bundle downloaded until',
  'fails with its reason, and has no bundle',
  'a cancelled one ends so',
  'joined by who asks for it meanwhile',
  'cannot be made says why',
  'a snapshot is tried again',
  'of a snapshot that cannot be taken',
  'of a snapshot that is cancelled',
  'a snapshot is restored step',
  'of a snapshot that fails in any',
  'of a snapshot that is cancelled in any',
  'of a snapshot that is paused',
  'an undo is tried again',
  'breaks an undo off',
  'an undo that is',
];
const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
const { status } = spawnSync(
  process.execPath,
  [
    ...[vitest, 'run', '--project', 'stack', 'test/workflows', 'test/bundle', 'test/api/extracts'],
    ...['-t', tests.join('|')],
  ],
  { cwd: root, stdio: 'inherit', env: { ...process.env, THAW_RECORD_HISTORIES: '1' } },
);
process.exitCode = status ?? 1;
