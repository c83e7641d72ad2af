import { InvalidArgumentError } from 'commander';
import { type Bound, parseBound } from '../validate/period.ts';

/** Reads `--start-date` and `--end-date` where they take a time, too. */
export function dateOrTime(text: string): Bound {
  const bound = parseBound(text);
  if (bound !== null) return bound;
  throw new InvalidArgumentError(
    'It must be a day, such as 2026-01-31, or a time, such as 2026-01-31T12:00:00.',
  );
}
