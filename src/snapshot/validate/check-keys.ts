import type pg from 'pg';
import { KeyCheck, type KeyViolations } from '../../postgres/key-violations.ts';
import { MergedImages } from '../../postgres/merged-images.ts';
import type { Differences } from '../../postgres/snapshot-differences.ts';
import { readMembers, readTouchingKeys } from '../../postgres/snapshot-foreign-keys.ts';
import { readTakenKeys } from '../../postgres/taken-keys.ts';
import { mostNamed } from '../order/held-keys.ts';
import { planKeys } from '../order/key-plan.ts';

/**
 * Looks for rows that would break a foreign key once differences are merged, as the merge itself does at its end: of
 * the tables and of any other that refers to them, named by their keys. Nobody waits for it, since it reads what the
 * tables would hold and changes nothing.
 *
 * @param client in the transaction that has found the differences
 * @throws ThawError `SchemaIncompatible` for a key that a merge could not put back as it is
 */
export async function findBrokenKeys(
  client: pg.Client,
  differences: readonly Differences[],
): Promise<KeyViolations[]> {
  const members = await readMembers(
    client,
    differences.map(({ staged }) => staged.target),
  );
  const keys = await readTouchingKeys(client, [...members.keys()]);
  const off = planKeys(keys, members).filter(({ hold }) => hold === 'taken off');
  await readTakenKeys(
    client,
    off.map(({ key }) => key.oid),
  );
  const images = await MergedImages.read(
    client,
    differences,
    keys.flatMap(({ child, parent }) => [child, parent]),
  );
  const broken: KeyViolations[] = [];
  for (const key of keys) {
    const check = await KeyCheck.read(client, key);
    const sides = { child: images.of(key.child), parent: images.of(key.parent) };
    const violations = key.validated
      ? await check.violations(client, mostNamed, sides)
      : await check.grownTo(client, mostNamed, sides);
    if (violations !== null) broken.push(violations);
  }
  return broken;
}
