import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type ArchiveOptions, type WrittenArchive, writeArchive } from '../harness/archive-writer.ts';
import { type FixtureSet, fixturePath } from '../harness/fixture.ts';
import type { TestDatabase } from '../harness/postgres.ts';
import type { CommandEnd } from './thaw-command.ts';
import { thawHere } from './thaw-here.ts';

/** Archives in a folder, and a configuration for them: commands that only read archives need no servers. */
export interface FolderSite {
  /** Everything is below it; archives begin with `archives/`. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  /** Writes an object under its key. */
  put(key: string, body: Uint8Array | string): Promise<void>;
  /** Writes an archive of a database. */
  archive(options: Omit<ArchiveOptions, 'primaryKey'>): Promise<WrittenArchive>;
  /** Takes an object away. */
  drop(key: string): Promise<void>;
  /** Runs a command in this process. */
  thaw(...args: string[]): Promise<CommandEnd>;
  remove(): Promise<void>;
}

/**
 * Makes a site of its own for a test file.
 *
 * @param set real archives to begin with
 * @param target where the database of that set is; without it none is there
 */
export async function createFolderSite(set?: FixtureSet, target?: TestDatabase): Promise<FolderSite> {
  const root = await mkdtemp(path.join(tmpdir(), 'thaw-site-'));
  const folder = path.join(root, 'store');
  await mkdir(folder);
  if (set !== undefined) await cp(fixturePath(set, 'objects'), folder, { recursive: true });
  const database = set === undefined ? 'app' : databases[set];
  if (set !== undefined && target !== undefined) {
    const own = path.join(folder, 'archives', target.name);
    await cp(path.join(folder, 'archives', database), own, { recursive: true });
    await rm(path.join(folder, 'archives', database), { recursive: true });
  }
  const config = path.join(root, 'config.yaml');
  await writeFile(config, configText(target?.name ?? database, target));
  const { TEMPORAL_ADDRESS: _, ...rest } = process.env;
  const env = { ...rest, THAW_CONFIG: config, SITE_PASSWORD: target?.password ?? 'none' };
  const put = async (key: string, body: Uint8Array | string): Promise<void> => {
    await mkdir(path.dirname(path.join(folder, key)), { recursive: true });
    await writeFile(path.join(folder, key), body);
  };
  return {
    folder,
    env,
    put,
    archive: (options) => writeArchive(put, { ...options, primaryKey: 'id' }),
    drop: (key) => rm(path.join(folder, key)),
    thaw: (...args) => thawHere(args, env),
    remove: () => rm(root, { recursive: true }),
  };
}

const databases: Readonly<Record<FixtureSet, string>> = {
  'audit-logs': 'production_db',
  shop: 'shop_db',
  'type-zoo': 'zoo_db',
  edge: 'edge_db',
};

function configText(name: string, target: TestDatabase | undefined): string {
  return `
version: "1.0"
folder: store
s3: { bucket: unused, prefix: archives }
databases:
  - name: ${name}
    host: ${target?.host ?? '127.0.0.1'}
    port: ${target?.port ?? 1}
    user: ${target?.user ?? 'nobody'}
    password_env: SITE_PASSWORD
    tables: [{ name: items }]
`;
}
