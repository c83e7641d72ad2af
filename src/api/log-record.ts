import { z } from '@hono/zod-openapi';
import { type LogRow, logLevels, logPhases } from '../control/logs.ts';

/** The documented `restore_logs` record: a line of what happened in a run. */
export const logRecord = z
  .object({
    id: z.string().openapi({ description: 'Later lines have larger numbers.', example: '17' }),
    run_id: z.string(),
    level: z.enum(logLevels),
    phase: z.enum(logPhases).nullable().openapi({ description: 'Null: of the run as a whole.' }),
    model_name: z.string().nullable().openapi({ description: 'The model or table that it is about.' }),
    record_id: z.string().nullable().openapi({ description: 'The record that it is about.' }),
    message: z.string(),
    detail: z
      .record(z.string(), z.unknown())
      .nullable()
      .openapi({ description: 'Numbers and reasons, by name.' }),
    created_at: z.iso.datetime(),
  })
  .openapi('RestoreLog');
export type LogRecord = z.output<typeof logRecord>;

/** Writes a line of the log as the documented record. */
export function toLogRecord(row: LogRow): LogRecord {
  const { id, run_id, level, phase, model_name, record_id, message, detail } = row;
  return {
    id: String(id),
    ...{ run_id, level, phase, model_name, record_id, message },
    detail: detail === null ? null : { ...detail },
    created_at: row.created_at.toISOString(),
  };
}
