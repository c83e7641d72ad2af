import { z } from '@hono/zod-openapi';
import { must } from '../client/restore-input.ts';

/** Text of a record, of at most so many characters. */
export function textInput(most: number) {
  return z.string(must('must be text')).max(most, `must have at most ${most} characters`);
}
