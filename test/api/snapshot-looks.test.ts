import { expect, test } from 'vitest';
import type { SnapshotChoice } from '../../src/api/snapshot-choices.ts';
import { SnapshotLooks } from '../../src/api/snapshot-looks.ts';
import type { SnapshotTools } from '../../src/api/snapshot-tools.ts';

const choice: SnapshotChoice = {
  ...{ source: { kind: 'stored', id: 's-1' }, database: 'db', tables: null, tenant: null, newerBy: null },
  schemaStrategy: 'strict',
};
const difference = {
  schema: 'public',
  table: 't',
  kind: 'insert',
  key: { id: '1' },
  before: null,
  after: { id: '1' },
} as const;

function looks(diff: SnapshotTools['diff']): SnapshotLooks {
  const other = () => Promise.reject(new Error('not asked for'));
  return new SnapshotLooks({ diff, preview: other, validate: other });
}

const never = new AbortController().signal;

test('a diff that fails behind its first line breaks off, and leaves room for others', async () => {
  const failing = looks(async (_, { onToken, onDifferences }) => {
    await onToken('token');
    await onDifferences([difference]);
    throw new Error('the database has gone');
  });
  for (let turn = 0; turn < 3; turn += 1) {
    const reader = (await failing.diff('a', choice, never)).getReader();
    const lines: string[] = [];
    const all = async () => {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        lines.push(Buffer.from(value).toString());
      }
    };
    await expect(all()).rejects.toThrow('the database has gone');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ database: 'db', if_unchanged: 'token' });
  }
});

test('one that fails before its first line is answered with that', async () => {
  const failing = looks(async () => {
    throw new Error('no such table');
  });
  await expect(failing.diff('a', choice, never)).rejects.toThrow('no such table');
});

test('a diff goes no faster than it is read, ends where nobody reads, and a third at once is refused', async () => {
  let written = 0;
  const reasons: unknown[] = [];
  const endless = looks(async (_, { onToken, onDifferences }, signal) => {
    try {
      await onToken('token');
      for (;;) {
        await onDifferences([difference]);
        signal.throwIfAborted();
        written += 1;
      }
    } catch (error) {
      reasons.push(error);
      throw error;
    }
  });
  const first = await endless.diff('a', choice, never);
  const second = await endless.diff('a', choice, never);
  await expect(endless.diff('a', choice, never)).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' });
  const other = await endless.diff('b', choice, never);
  await new Promise((resolve) => setImmediate(resolve));
  expect(written).toBeLessThan(10);
  await Promise.all([first, second, other].map((stream) => stream.cancel(new Error('gone'))));
  await expect.poll(() => reasons.length).toBe(3);
  await expect.poll(() => endless.diff('a', choice, never).then((stream) => stream.cancel())).toBeUndefined();
});
