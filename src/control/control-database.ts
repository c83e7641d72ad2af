import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { ThawError } from '../contract/thaw-error.ts';
import { databaseError } from '../postgres/sqlstate.ts';
import { controlSchema } from './schema.ts';

/** What statements of the control database are run on: the pool, or a transaction of it. */
export type ControlClient = Pick<pg.ClientBase, 'query'>;

/** Connections that one process keeps to the control database: its statements are short. */
const connections = 6;

/** Milliseconds after which it is taken for not there. */
const answerWithin = 3000;

/** What errors are about. */
const object = 'the control database';

/** Numbers of rows are far below 2^53. */
const int8Oid = 20;

/**
 * Where saved restores, runs and logs are kept: `THAW_DATABASE_URL`. Bookkeeping has connections of its own, so
 * that it is seen, and stays, whatever becomes of the transaction that it tells of.
 */
export class ControlDatabase {
  readonly #pool: pg.Pool;
  #ready: Promise<void> | null = null;

  /** Nothing is connected yet. */
  constructor(url: string) {
    this.#pool = new pg.Pool({
      connectionString: url,
      max: connections,
      application_name: 'thaw/control',
      connectionTimeoutMillis: 10_000,
      statement_timeout: 30_000,
      types: {
        getTypeParser: (oid: number, format?: 'text' | 'binary') =>
          oid === int8Oid && format !== 'binary' ? Number : pg.types.getTypeParser(oid, format as 'text'),
      },
    });
    // The query under way is told of the loss; an idle connection that is lost is replaced.
    this.#pool.on('error', () => {});
  }

  /**
   * Runs statements on one connection; the schema is made before the first.
   *
   * @throws ThawError `DatabaseUnavailable` and the other errors of a database
   */
  async use<T>(work: (client: ControlClient) => Promise<T>): Promise<T> {
    return this.#with(work);
  }

  /** Runs statements in one transaction; it is rolled back when they throw. */
  async transaction<T>(work: (client: ControlClient) => Promise<T>): Promise<T> {
    return this.#with(async (client) => {
      await client.query('begin');
      try {
        const result = await work(client);
        await client.query('commit');
        return result;
      } catch (error) {
        await client.query('rollback').catch(() => {});
        throw error;
      }
    });
  }

  /** Whether it can be used, told within a few seconds. */
  async answers(): Promise<boolean> {
    const asked = this.use((client) => client.query('select')).then(
      () => true,
      () => false,
    );
    return Promise.race([asked, sleep(answerWithin, false, { ref: false })]);
  }

  /** Ends its connections. */
  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #with<T>(work: (client: ControlClient) => Promise<T>): Promise<T> {
    const client = await this.#connect();
    let broken = false;
    try {
      await this.#prepare(client);
      return await work(client);
    } catch (error) {
      // What PostgreSQL itself answers leaves the connection as it was.
      broken = !(error instanceof pg.DatabaseError);
      throw databaseError(error, { object });
    } finally {
      client.release(broken);
    }
  }

  /** Whoever asks for something kept there can only ask again, whatever the server has against a connection. */
  async #connect(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      const { message, hint, sqlstate } = databaseError(error, { object });
      throw new ThawError('DatabaseUnavailable', message, { object, hint, sqlstate, cause: error });
    }
  }

  /** Once for a process; a failure is tried again by the next who comes. */
  async #prepare(client: ControlClient): Promise<void> {
    this.#ready ??= controlSchema.ensure(client);
    try {
      await this.#ready;
    } catch (error) {
      this.#ready = null;
      throw error;
    }
  }
}

/**
 * The control database that the environment names.
 *
 * @throws ThawError `ConfigInvalid` when it names none, or no PostgreSQL
 */
export function openControlDatabase(env: NodeJS.ProcessEnv): ControlDatabase {
  const url = env.THAW_DATABASE_URL;
  if (url !== undefined && /^postgres(ql)?:\/\//.test(url)) return new ControlDatabase(url);
  const fault =
    url === undefined || url === '' ? 'is not set' : 'must begin with postgres:// or postgresql://';
  throw new ThawError('ConfigInvalid', `THAW_DATABASE_URL: ${fault}`, {
    object: 'THAW_DATABASE_URL',
    hint: 'It names the database where saved restores, runs and logs are kept, such as postgres://thaw@localhost/thaw.',
  });
}
