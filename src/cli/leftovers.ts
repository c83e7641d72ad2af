import { readdir } from 'node:fs/promises';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { findDatabase } from '../config/database-config.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import { restoreWorkflowId, targetWorkflowId } from '../contract/names.ts';
import type { RestoreRequest } from '../contract/restore-request.ts';
import { connectDatabase } from '../postgres/connect-database.ts';
import { readRestore, writeRestore } from '../postgres/restores.ts';
import { isAlive, parseMark } from '../stack/process-identity.ts';
import { makePlace } from '../stack/standalone-place.ts';

/** Where leftovers are looked for. */
export interface LeftoverScope {
  /** Of the own server of this user. */
  readonly client: Client;
  readonly stateDir: string;
  readonly config: ThawConfig;
  readonly env: NodeJS.ProcessEnv;
  /** Is told of each restore that gives way. */
  say(line: string): void;
}

/**
 * Ends restores that hold a table of this request though nobody works on them: their command was killed, and
 * this is another one. What they restored stays in the table and in the ledger. Does nothing while another
 * command uses the server, since theirs may be the restore that holds the table.
 */
export async function endLeftovers(scope: LeftoverScope, request: RestoreRequest): Promise<void> {
  if (await isShared(scope.stateDir)) return;
  for (const workflowId of targetsOf(scope.config, request)) {
    const holder = await runningHolder(scope.client, workflowId);
    if (holder !== null) await endHolder(scope, request.database, workflowId, holder.restoreId);
  }
}

function targetsOf(config: ThawConfig, { database, tables }: RestoreRequest): string[] {
  const configured = findDatabase(config, database).tables;
  const targets =
    tables?.map(({ intoSchema, intoTable }) => ({ schema: intoSchema, name: intoTable })) ?? configured;
  return targets.map(({ schema, name }) => targetWorkflowId(database, schema, name));
}

/** Tells whether a live command besides this one uses the server. */
export async function isShared(stateDir: string): Promise<boolean> {
  const { users } = await makePlace(stateDir);
  const marks = (await readdir(users)).flatMap((name) => parseMark(name) ?? []);
  return marks.some((mark) => mark.pid !== process.pid && isAlive(mark));
}

/** The restore that a running workflow belongs to; null where it does not run. */
export async function runningHolder(
  client: Client,
  workflowId: string,
): Promise<{ restoreId: string | null } | null> {
  try {
    const { status, parentExecution } = await client.workflow.getHandle(workflowId).describe();
    if (status.name !== 'RUNNING') return null;
    const [, restoreId] = parentExecution?.workflowId?.split('/') ?? [];
    return { restoreId: restoreId ?? null };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

/** By force, because a cancelled restore would need its worker to end. */
async function endHolder(
  { client, config, env, say }: LeftoverScope,
  database: string,
  workflowId: string,
  restoreId: string | null,
): Promise<void> {
  const reason = 'its command was killed, and another one restores into the table';
  await terminate(client, workflowId, reason);
  if (restoreId === null) return;
  await terminate(client, restoreWorkflowId(restoreId), reason);
  say(`Restore ${restoreId} gives way: ${reason}. What it restored stays.`);
  const connection = await connectDatabase(findDatabase(config, database), env, {
    applicationName: 'thaw/leftover',
  });
  try {
    const stored = await readRestore(connection, restoreId);
    if (stored !== null) await writeRestore(connection, { ...stored, state: 'cancelled' });
  } finally {
    await connection.end();
  }
}

/** Ends a workflow; one that has ended is as good. */
export async function terminate(client: Client, workflowId: string, reason: string): Promise<void> {
  try {
    await client.workflow.getHandle(workflowId).terminate(reason);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}
