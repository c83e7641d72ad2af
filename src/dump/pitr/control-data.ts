import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { ThawError } from '../../contract/thaw-error.ts';
import { runProgram } from '../tools/run-program.ts';
import type { ServerPrograms } from '../tools/server-programs.ts';
import { baseHint } from './hints.ts';

/** What `pg_control` of a cluster says. */
export interface ControlData {
  readonly systemId: string;
  /** Settings that may not be smaller where it recovers. */
  readonly settings: Readonly<Record<string, string>>;
}

const wanted: Readonly<Record<string, string>> = {
  'max_connections setting': 'max_connections',
  'max_worker_processes setting': 'max_worker_processes',
  'max_wal_senders setting': 'max_wal_senders',
  'max_prepared_xacts setting': 'max_prepared_transactions',
  'max_locks_per_xact setting': 'max_locks_per_transaction',
};

/**
 * Reads it by pg_controldata.
 *
 * @throws ThawError `ArchiveCorrupt` where it cannot be read
 */
export async function readControlData(
  { pgControldata: program }: ServerPrograms,
  data: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<ControlData> {
  let said = '';
  const end = await runProgram({
    ...{ program, args: [data], signal, env: { PATH: env.PATH, LC_ALL: 'C' }, onMessage: () => {} },
    onOutput: async (chunks) => {
      said = await text(Readable.from(chunks));
    },
  });
  const lines = new Map(
    said.split('\n').map((line): [string, string] => {
      const [name = '', ...value] = line.split(':');
      return [name, value.join(':').trim()];
    }),
  );
  const systemId = lines.get('Database system identifier');
  if (end.code !== 0 || systemId === undefined) {
    throw new ThawError('ArchiveCorrupt', `${data}/global/pg_control cannot be read.`, {
      object: data,
      hint: baseHint,
    });
  }
  const settings = Object.entries(wanted).flatMap(([label, name]) => {
    const value = lines.get(label);
    return value === undefined ? [] : [[name, value] as const];
  });
  return { systemId, settings: Object.fromEntries(settings) };
}
