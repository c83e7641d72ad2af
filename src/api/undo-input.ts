import { z } from '@hono/zod-openapi';
import { must } from '../client/restore-input.ts';

/** What may be said of an undo. */
export const undoInput = z
  .strictObject(
    {
      reason: z
        .string(must('must be text'))
        .max(500, 'must have at most 500 characters')
        .nullish()
        .openapi({ description: 'Why, for those who look at it.' }),
      disable_triggers: z
        .boolean(must('must be true or false'))
        .optional()
        .openapi({ description: "Keeps the tables' triggers from firing." }),
    },
    must('must be an object'),
  )
  .openapi('UndoInput', { example: { reason: 'wrong day' } });
