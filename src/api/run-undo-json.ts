import { z } from '@hono/zod-openapi';
import { errorCodes } from '../contract/error-code.ts';
import type { RunUndo } from './run.ts';

const count = z.int().min(0);

const table = z.object({
  target: z.string().openapi({ example: 'public.orders' }),
  total: count.nullable().openapi({ description: 'Rows that the restore had changed; null at the end.' }),
  deleted: count,
  brought_back: count,
  gone: count.openapi({ description: 'Rows that the restore had inserted, and others had deleted since.' }),
  left: z.array(z.object({ why: z.string().openapi({ example: 'changed' }), records: count })),
  error: z.object({ code: z.enum(errorCodes), message: z.string(), hint: z.string() }).nullable(),
});

/** What `GET /api/runs/{runId}` tells of a run that takes another one back. */
export const runUndoJson = z
  .object({
    undoes: z.string().openapi({ description: 'The run that is taken back.' }),
    tables: z.array(table),
    made: z
      .object({
        models: count.openapi({ description: 'Models that were taken away.' }),
        fields: count.openapi({ description: 'Fields, of models that were there before.' }),
        left: count,
        examples: z.array(
          z.object({
            object: z.string().openapi({ example: 'public.orders.note' }),
            why: z.string().openapi({ example: 'it has values' }),
          }),
        ),
      })
      .nullable()
      .openapi({ description: 'What the restore had made besides records; null before the end.' }),
  })
  .openapi('RunUndo');

/** Writes it. */
export function toRunUndoJson({ undoes, tables, made }: RunUndo): z.output<typeof runUndoJson> {
  return {
    undoes,
    tables: tables.map(({ target, total, deleted, broughtBack, gone, left, error }) => ({
      ...{ target, total, deleted, brought_back: broughtBack, gone, error },
      left: left.map(({ why, rows }) => ({ why, records: rows })),
    })),
    made: made === null ? null : { ...made, examples: [...made.examples] },
  };
}
