import { type ControlDatabase, openControlDatabase } from '../src/control/control-database.ts';

/** The control database of a worker, opened when it is first asked for: restores of archives need none. */
export class WorkerControl {
  readonly #env: NodeJS.ProcessEnv;
  #database: ControlDatabase | null = null;

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  /** @throws ThawError `ConfigInvalid` when the environment names none */
  get database(): ControlDatabase {
    this.#database ??= openControlDatabase(this.#env);
    return this.#database;
  }

  async close(): Promise<void> {
    await this.#database?.close();
  }
}
