import type pg from 'pg';
import { findDatabase } from '../config/database-config.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import { readTarget, type TargetTable } from '../postgres/catalog.ts';
import { connectDatabase } from '../postgres/connect-database.ts';

/** A table to try values on, and a connection to do it with. */
export interface BorrowedTarget {
  readonly client: pg.Client;
  readonly target: TargetTable;
  /** Gives the connection back for others to use. */
  giveBack(): void;
}

/** Connections to the target databases, as many of each as are used at a time, and the catalog of each target. */
export class Targets {
  readonly #config: ThawConfig;
  readonly #env: NodeJS.ProcessEnv;
  readonly #idle = new Map<string, pg.Client[]>();
  readonly #all: pg.Client[] = [];
  readonly #tables = new Map<string, TargetTable>();

  constructor(config: ThawConfig, env: NodeJS.ProcessEnv) {
    this.#config = config;
    this.#env = env;
  }

  /** @throws ThawError what connecting and `readTarget` throw; `InputInvalid` for a database that is not configured */
  async borrow(database: string, schema: string, table: string): Promise<BorrowedTarget> {
    const client = this.#idle.get(database)?.pop() ?? (await this.#connect(database));
    const giveBack = () => void this.#idle.set(database, [...(this.#idle.get(database) ?? []), client]);
    const name = JSON.stringify([database, schema, table]);
    try {
      const target = this.#tables.get(name) ?? (await readTarget(client, schema, table));
      this.#tables.set(name, target);
      return { client, target, giveBack };
    } catch (error) {
      giveBack();
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((client) => client.end().catch(() => {})));
  }

  async #connect(database: string): Promise<pg.Client> {
    const client = await connectDatabase(findDatabase(this.#config, database), this.#env, {
      applicationName: 'thaw/validate',
    });
    this.#all.push(client);
    return client;
  }
}
