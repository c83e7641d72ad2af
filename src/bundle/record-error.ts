import pg from 'pg';
import { ThawError } from '../contract/thaw-error.ts';
import type { DirectSink } from '../load/direct-sink.ts';
import type { StagedSink } from '../load/staged-sink.ts';
import { copyPosition, databaseError } from '../postgres/sqlstate.ts';
import type { ModelLoad } from './model-load.ts';

/**
 * What ended the load of a model, with the line of the file where PostgreSQL names one.
 *
 * @throws The error itself when it is neither of the closed set nor of PostgreSQL
 */
export function recordError(
  raw: unknown,
  { file, target }: ModelLoad,
  sink: Pick<DirectSink | StagedSink, 'lineOf'>,
): ThawError {
  const object = `${target.schema}.${target.table}`;
  const position = raw instanceof pg.DatabaseError ? copyPosition(raw) : undefined;
  if (position === undefined) return databaseError(raw, { object });
  const line = sink.lineOf(position.line);
  const error = databaseError(raw, { object: `${object}, line ${line} of ${file.name}` });
  return new ThawError(error.code, error.message, { ...error, object, line });
}
