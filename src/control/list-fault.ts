import { ThawError } from '../contract/thaw-error.ts';

/** The error of a query for a list: which part of it is wrong, and how. */
export function fieldFault(field: string, reason: string): ThawError {
  return new ThawError('InputInvalid', `${field}: ${reason}`, {
    object: field,
    hint: 'docs/api.md tells what lists may be asked for.',
  });
}
