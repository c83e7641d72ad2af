import type { z } from 'zod';
import { ThawError } from '../contract/thaw-error.ts';
import { hasReference, placeName } from './substitute.ts';

const longestValue = 60;
const secretKey = /password|secret|access_key|customer_key|token/i;

/**
 * The error of a file that does not validate: a line `field: reason (got value)` for each thing wrong.
 *
 * @param tree the file before substitution, so that what a variable held is never shown
 */
export function configError(file: string, tree: unknown, issues: readonly z.core.$ZodIssue[]): ThawError {
  const lines = issues.map((issue) => {
    const place = placeName(issue.path) || 'the file';
    return `${place}: ${issue.message}${gotten(tree, issue.path)}`;
  });
  return new ThawError('ConfigInvalid', lines.join('\n'), {
    object: placeName(issues[0]?.path ?? []) || file,
    hint: `Correct ${file}.`,
  });
}

function gotten(tree: unknown, path: readonly PropertyKey[]): string {
  if (path.some((step) => typeof step === 'string' && secretKey.test(step))) return '';
  const value = path.reduce<unknown>(
    (node, step) => (typeof node === 'object' && node !== null ? Reflect.get(node, step) : undefined),
    tree,
  );
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) return ' (got a list)';
  if (typeof value === 'object') return ' (got a mapping)';
  return ` (got ${shown(value)})`;
}

function shown(value: unknown): string {
  if (typeof value !== 'string') return String(value);
  if (hasReference(value)) return value;
  const safe = value.replace(/\/\/[^@/]*@/g, '//***@');
  return JSON.stringify(safe.length > longestValue ? `${safe.slice(0, longestValue)}…` : safe);
}
