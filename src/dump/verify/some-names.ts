import { formatCount } from '../../restore/format.ts';

const most = 5;

/** The first of many names, and how many more there are. */
export function someNames(names: readonly string[]): string {
  const rest = names.length - most;
  const first = names.slice(0, most).join(', ');
  return rest > 0 ? `${first} and ${formatCount(rest)} more` : first;
}
