import { createHash } from 'node:crypto';
import type pg from 'pg';
import { ThawError } from '../contract/thaw-error.ts';
import { quoteIdentifier } from './identifier.ts';
import { databaseError, isSqlState, sqlState } from './sqlstate.ts';

/** A step from one version of a schema to the next; it ends by writing its number. Released ones are never edited. */
export interface SchemaVersion {
  readonly version: number;
  readonly sql: string;
}

/** A schema of Thaw's own. It holds a table `schema_version (version integer, fingerprint text, …)`, made by its first version. */
export interface SchemaDefinition {
  readonly name: string;
  /** Key of the advisory lock under which it is made. */
  readonly lock: number;
  /** Numbered from 1, without a gap. */
  readonly versions: readonly SchemaVersion[];
  /** What it is for, in a sentence without its full stop. */
  readonly purpose: string;
  /** The command that prints its statements, for hints. */
  readonly printedBy: string;
}

type Queryable = Pick<pg.ClientBase, 'query'>;

/** Makes a schema of Thaw's own and brings it up to date, however many processes do so at once. */
export class VersionedSchema {
  readonly #definition: SchemaDefinition;
  readonly #object: string;

  constructor(definition: SchemaDefinition) {
    this.#definition = definition;
    this.#object = `schema ${definition.name}`;
  }

  /** The version that this code reads and writes. */
  get version(): number {
    return this.#definition.versions.length;
  }

  /**
   * One query when the schema is there. Call it outside a transaction.
   *
   * @throws ThawError `ConfigInvalid` when a newer Thaw made it, or one before the release of its version;
   * `PermissionDenied` when it is not there and may not be made, may not be brought up to date, or may not be used
   */
  async ensure(client: Queryable): Promise<void> {
    let current = 0;
    try {
      current = await this.#current(client);
      if (current >= this.version) return;
      await this.#migrate(client);
    } catch (error) {
      if (isSqlState(error, sqlState.insufficientPrivilege)) throw this.#mayNot(current);
      throw databaseError(error, { object: this.#object });
    }
  }

  /** Everything that an administrator runs beforehand, where the user of Thaw may not create a schema. */
  sql(): string {
    const { name, purpose, versions } = this.#definition;
    return `-- ${purpose}, version ${this.version}. For a database that does not have it yet.
begin;
create schema ${quoteIdentifier(name)};

${versions.map((version) => this.#statements(version)).join('\n\n')}

-- For the user that Thaw connects as:
--   grant usage on schema ${name} to <user>;
--   grant select, insert, update, delete on all tables in schema ${name} to <user>;
commit;
`;
  }

  /** 0 when there is nothing. */
  async #current(client: Queryable): Promise<number> {
    try {
      const { rows } = await client.query<{ version: number; fingerprint: string | null }>(
        `select version, fingerprint from ${this.#versionTable} order by version desc limit 1`,
      );
      const { version = 0, fingerprint } = rows[0] ?? {};
      if (version > this.version) throw this.#newer(version);
      const known = this.#definition.versions[version - 1];
      if (known !== undefined && fingerprint !== fingerprintOf(known)) throw this.#stale(version);
      return version;
    } catch (error) {
      if (isSqlState(error, sqlState.undefinedColumn)) throw this.#stale(1);
      if (isSqlState(error, sqlState.undefinedTable, sqlState.invalidSchemaName)) return 0;
      throw error;
    }
  }

  async #migrate(client: Queryable): Promise<void> {
    await client.query('begin');
    try {
      await client.query('select pg_advisory_xact_lock($1)', [this.#definition.lock]);
      await client.query(await this.#pendingSql(client));
      await client.query('commit');
    } catch (error) {
      await client.query('rollback').catch(() => {});
      throw error;
    }
  }

  /** What is still to be done, now that nobody else is doing it. */
  async #pendingSql(client: Queryable): Promise<string> {
    const { name, versions } = this.#definition;
    const { rows } = await client.query<{ schema: string | null; versions: string | null }>(
      'select to_regnamespace($1) as schema, to_regclass($2) as versions',
      [quoteIdentifier(name), this.#versionTable],
    );
    // `create schema if not exists` needs the right to create even where there is nothing to create.
    const create = rows[0]?.schema === null ? [`create schema ${quoteIdentifier(name)}`] : [];
    const current = rows[0]?.versions === null ? 0 : await this.#current(client);
    const pending = versions.filter(({ version }) => version > current);
    return [...create, ...pending.map((version) => this.#statements(version))].join(';\n');
  }

  #statements(version: SchemaVersion): string {
    return `${version.sql}

update ${this.#versionTable} set fingerprint = '${fingerprintOf(version)}' where version = ${version.version};`;
  }

  get #versionTable(): string {
    return `${quoteIdentifier(this.#definition.name)}.schema_version`;
  }

  #newer(version: number): ThawError {
    return new ThawError(
      'ConfigInvalid',
      `${this.#object}: it has version ${version}, and this Thaw knows versions up to ${this.version}`,
      {
        object: this.#object,
        hint: 'Use the newer release of Thaw that made it, or a database without it.',
      },
    );
  }

  #stale(version: number): ThawError {
    const { name } = this.#definition;
    return new ThawError(
      'ConfigInvalid',
      `${this.#object}: it is not version ${version} as this Thaw knows it; a build before its release made it`,
      {
        object: this.#object,
        hint:
          `Go on with that build, or give its records up: \`drop schema ${name} cascade\`, after which it is made ` +
          'anew, and nothing counts as restored before.',
      },
    );
  }

  #mayNot(current: number): ThawError {
    if (current > 0) {
      return new ThawError(
        'PermissionDenied',
        `${this.#object}: it has version ${current}, and may not be brought to version ${this.version} by the user that Thaw connects as`,
        {
          object: this.#object,
          sqlstate: sqlState.insufficientPrivilege,
          hint: 'Restore once as the owner of the schema, who brings it up to date, then grant the user what is new in it.',
        },
      );
    }
    return new ThawError(
      'PermissionDenied',
      `${this.#object}: it cannot be made or used by the user that Thaw connects as`,
      {
        object: this.#object,
        sqlstate: sqlState.insufficientPrivilege,
        hint: `As an administrator, run what ${this.#definition.printedBy} prints, and the grants at its end.`,
      },
    );
  }
}

/** Tells a version from another one of the same number: its statements were edited until it was released. */
function fingerprintOf({ sql }: SchemaVersion): string {
  return createHash('sha256').update(sql).digest('hex').slice(0, 16);
}
