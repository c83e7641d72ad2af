import { existsSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadDumpInto } from '../../../src/dump/load/load.ts';
import { knowsRestrict } from '../../../src/dump/tools/client-programs.ts';
import { clientPrograms, describeWithPrograms } from '../../harness/client-programs.ts';
import { createTestDumps, type TestDumps } from '../../harness/dump.ts';
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts';

let dumps: TestDumps;
let into: TestDatabase;

beforeAll(async () => {
  dumps = await createTestDumps();
  into = await createTestDatabase('hostile');
});

afterAll(async () => {
  await into.drop();
  await dumps.remove();
});

/** From the third line on psql reads strings in another way than what stands there lets one think. */
function hostile(kind: 'cluster' | 'database', trap: string): Buffer {
  const words = kind === 'cluster' ? 'PostgreSQL database cluster dump' : 'PostgreSQL database dump';
  return Buffer.from(`--
-- ${words}
--

DO $$ begin perform set_config('standard_conforming' || '_strings', 'off', false); end $$;
SELECT 'a\\'';
\\! touch ${trap}
SELECT ';

--
-- ${words} complete
--

`);
}

describeWithPrograms('a dump that has psql read strings in another way', () => {
  test.for(['database', 'cluster'] as const)('of a %s has it run no command', async (kind, context) => {
    if (!knowsRestrict(clientPrograms())) return context.skip('this psql knows of no \\restrict');
    const trap = path.join(dumps.folder, `trap-${kind}`);
    await dumps.put(kind, hostile(kind, trap));
    const format = kind === 'cluster' ? 'cluster' : 'plain';
    const load = await dumps.load(kind, format, into, { cluster: kind === 'cluster' });
    await expect(loadDumpInto(load)).rejects.toMatchObject({
      code: 'DumpRejected',
      message: expect.stringContaining('backslash commands are restricted'),
    });
    expect(existsSync(trap)).toBe(false);
  });
});
