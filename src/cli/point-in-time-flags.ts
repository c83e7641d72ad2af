import { type Command, Option } from 'commander';
import { defaultLog, toPointInTime } from '../client/point-in-time.ts';
import { parseTenant } from '../client/snapshot-request.ts';
import { sourceText } from '../client/snapshot-source.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { PointInTime } from '../contract/snapshot-replay.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { withDatabase } from '../postgres/connect-database.ts';
import { nameOf } from '../snapshot/order/table-order.ts';
import { chooseBase } from '../snapshot/replay/choose-base.ts';
import { openStore } from '../store/open-store.ts';
import { chosenDatabase } from './chosen-database.ts';
import type { CommandContext } from './context.ts';
import { readName } from './snapshot-order-job.ts';

/** Flags that bring a snapshot forward to a later time. */
export interface PointInTimeFlags {
  readonly to?: string;
  readonly log?: string;
  readonly since?: string;
  readonly acceptLogFaults?: boolean;
}

/** Adds them. */
export function withPointInTime(command: Command): Command {
  return command
    .option(
      '--to <time>',
      'the snapshot with the changes of a log up to this time, such as 2026-01-31T12:00:00Z',
    )
    .addOption(
      new Option(
        '--log <[schema.]name>',
        `with --to: the table that has the changes (default: ${nameOf(defaultLog)})`,
      ),
    )
    .option('--since <time>', 'with --to, of a …-backup.json: the moment at which it was begun')
    .option('--accept-log-faults', 'with --to: where the log contradicts itself, its later word counts');
}

/** The time that flags ask for; null: that of the snapshot. @throws ThawError `InputInvalid` */
export function readPointInTime({ to, log, since, acceptLogFaults }: PointInTimeFlags): PointInTime | null {
  return toPointInTime({
    ...{ to: to ?? null, since: since ?? null, acceptFaults: acceptLogFaults === true },
    log: log === undefined ? null : readName(log),
  });
}

/**
 * What the snapshot is called; where none is named, the newest one from which the time can be reached, which is told.
 *
 * @throws ThawError `InputInvalid` where nothing says which; `ArchiveNotFound`; those of store and database
 */
export async function snapshotName(
  { env, printer }: Pick<CommandContext, 'env' | 'printer'>,
  config: ThawConfig,
  name: string | undefined,
  flags: PointInTimeFlags & {
    readonly database?: string;
    readonly table?: readonly string[];
    readonly where?: string;
  },
): Promise<string> {
  if (name !== undefined) return name;
  const pointInTime = readPointInTime(flags);
  if (pointInTime === null) {
    throw new ThawError('InputInvalid', 'Nothing says which snapshot.', {
      object: 'snapshot',
      hint: 'Name one (`thaw snapshot list` shows what there is), or a time with --to.',
    });
  }
  const database = chosenDatabase(config, flags.database ?? null);
  const store = openStore(config.store, env);
  try {
    const base = await withDatabase(database, env, { applicationName: 'thaw-base' }, (client) =>
      chooseBase({ store, prefix: config.store.prefix }, client, {
        ...{ database: database.name, tables: flags.table?.map(readName) ?? null, to: pointInTime.to },
        tenant: flags.where === undefined ? null : parseTenant(flags.where),
      }),
    );
    printer.aside(`Base: snapshot ${sourceText(base.source)} of ${base.createdAt}.`);
    return sourceText(base.source);
  } finally {
    store.close();
  }
}
