import type pg from 'pg';
import type { ErrorCode } from '../../contract/error-code.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import {
  type DatabaseRights,
  mayActAs,
  mayUseTablespace,
  readRights,
  readTies,
} from '../../postgres/database-obstacles.ts';
import { mayNotEnd, stubbornSessions } from '../../postgres/database-sessions.ts';
import { administer, type DatabaseRow, readDatabase } from '../../postgres/databases.ts';
import { quoteIdentifier, quoteLiteral } from '../../postgres/identifier.ts';
import { nameLimit } from './database-names.ts';

/** What is to be put in place of a database. */
export interface ReplaceOrder {
  /** The live database. */
  readonly database: string;
  /** It need not be there. */
  readonly create: boolean;
  /** Who is to own it; null: as now, or the user. */
  readonly owner: string | null;
}

/**
 * Looks for all that would keep a database from being replaced, by swap or by drop, before anything is touched.
 *
 * @param client a session in the maintenance database, as the user who will do it
 * @throws ThawError that names everything that was found, each with its remedy: `InputInvalid`, `PermissionDenied`,
 *   `TargetMissing` or `TargetBusy`, after the first
 */
export async function checkReplaceable(client: pg.Client, order: ReplaceOrder): Promise<void> {
  checkName(order.database);
  const obstacles = await administer(order.database, () => findObstacles(client, order));
  const [first] = obstacles;
  if (first === undefined) return;
  throw new ThawError(first.code, obstacles.map(({ message }) => message).join(' '), {
    object: order.database,
    hint: [...new Set(obstacles.map(({ hint }) => hint))].join(' '),
  });
}

async function findObstacles(client: pg.Client, order: ReplaceOrder): Promise<Obstacle[]> {
  const rights = await readRights(client);
  const live = await readDatabase(client, order.database);
  return [
    ...userObstacles(rights),
    ...(await ownerObstacles(client, order.owner, rights)),
    ...(live === null ? missing(order) : await liveObstacles(client, live, rights)),
  ];
}

interface Obstacle {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}

function checkName(name: string): void {
  const bytes = Buffer.byteLength(name);
  if (name !== '' && !name.includes('\0') && bytes <= nameLimit) return;
  throw new ThawError(
    'InputInvalid',
    `A database cannot be called ${JSON.stringify(name)}: ${bytes} bytes.`,
    {
      object: name,
      hint: `Names have 1 to ${nameLimit} bytes and no NUL character.`,
    },
  );
}

function userObstacles({ user, superuser, createsDatabases }: DatabaseRights): Obstacle[] {
  if (superuser || createsDatabases) return [];
  return [
    {
      code: 'PermissionDenied',
      message: `User ${user} may not make databases.`,
      hint: `As a superuser, run: alter role ${quoteIdentifier(user)} createdb.`,
    },
  ];
}

async function ownerObstacles(
  client: pg.Client,
  owner: string | null,
  { user }: DatabaseRights,
): Promise<Obstacle[]> {
  const may = owner === null ? true : await mayActAs(client, owner);
  if (owner === null || may === true) return [];
  if (may === null) {
    const hint = `Run: create role ${quoteIdentifier(owner)}; or name another owner.`;
    return [{ code: 'InputInvalid', message: `There is no role ${owner}.`, hint }];
  }
  return [notOwner(`User ${user} may not act for role ${owner}.`, owner, user)];
}

function missing({ database, create }: ReplaceOrder): Obstacle[] {
  if (create) return [];
  return [
    {
      code: 'TargetMissing',
      message: `There is no database ${database}.`,
      hint: 'Correct the name, or have it made with --create.',
    },
  ];
}

async function liveObstacles(
  client: pg.Client,
  live: DatabaseRow,
  { user, database: maintenance }: DatabaseRights,
): Promise<Obstacle[]> {
  const { name, owner, tablespace } = live;
  const database = quoteIdentifier(name);
  const obstacles: Obstacle[] = [];
  const add = (code: ErrorCode, message: string, hint: string) => obstacles.push({ code, message, hint });
  if (name === maintenance) {
    add(
      'InputInvalid',
      `${name} is the database that others are made from.`,
      'Name another for maintenance.',
    );
  }
  if (live.isTemplate) {
    add('InputInvalid', `${name} is a template.`, `Run: alter database ${database} is_template false.`);
  }
  if (!live.allowsConnections) {
    const hint = `Run: alter database ${database} allow_connections true.`;
    add('InputInvalid', `${name} allows no connections.`, hint);
  }
  if (!(await mayActAs(client, owner))) {
    obstacles.push(notOwner(`${name} belongs to ${owner}, for whom user ${user} may not act.`, owner, user));
  }
  if (tablespace !== null && !(await mayUseTablespace(client, tablespace))) {
    const hint = `Run: grant create on tablespace ${quoteIdentifier(tablespace)} to ${quoteIdentifier(user)}.`;
    add('PermissionDenied', `${name} lies in tablespace ${tablespace}, which ${user} may not use.`, hint);
  }
  const stubborn = await stubbornSessions(client, name);
  if (stubborn.length > 0) obstacles.push(mayNotEnd([name], stubborn));
  const ties = await readTies(client, name);
  for (const slot of ties.slots) {
    const hint = `Once its consumer is stopped, run: select pg_drop_replication_slot(${quoteLiteral(slot)}).`;
    add('TargetBusy', `${name} has the replication slot ${slot}.`, hint);
  }
  for (const subscription of ties.subscriptions) {
    const hint = `There, run: drop subscription ${quoteIdentifier(subscription)}.`;
    add('TargetBusy', `${name} has the subscription ${subscription}.`, hint);
  }
  for (const gid of ties.preparedTransactions) {
    const hint = `There, run: commit prepared ${quoteLiteral(gid)}, or rollback prepared.`;
    add('TargetBusy', `${name} has the prepared transaction ${gid}.`, hint);
  }
  return obstacles;
}

function notOwner(message: string, owner: string, user: string): Obstacle {
  const hint = `Run: grant ${quoteIdentifier(owner)} to ${quoteIdentifier(user)}; or connect as ${owner} or a superuser.`;
  return { code: 'PermissionDenied', message, hint };
}
