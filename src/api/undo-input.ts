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

/** What may be said of an undo of a restore of a snapshot, in which triggers never fire. */
export const snapshotUndoInput = z
  .strictObject(
    {
      reason: undoInput.shape.reason,
      force: z
        .boolean(must('must be true or false'))
        .optional()
        .openapi({ description: 'Also tables that were changed since: these changes are lost.' }),
      pre_snapshot: z.boolean(must('must be true or false')).optional().openapi({
        description: 'Takes a snapshot of what is there first, by which the undo can be undone.',
        default: true,
      }),
    },
    must('must be an object'),
  )
  .openapi('SnapshotUndoInput', { example: { reason: 'wrong snapshot' } });
