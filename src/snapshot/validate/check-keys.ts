import type pg from 'pg';
import { KeyCheck, type KeyViolations } from '../../postgres/key-violations.ts';
import { MergedImages } from '../../postgres/merged-images.ts';
import { readMembers, readTouchingKeys } from '../../postgres/snapshot-foreign-keys.ts';
import { readTakenKeys } from '../../postgres/taken-keys.ts';
import type { FoundDifferences } from '../merge/found-differences.ts';
import { mostNamed } from '../order/held-keys.ts';
import { planKeys } from '../order/key-plan.ts';

const none = { inserted: 0, updated: 0, deleted: 0 };

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
  found: readonly FoundDifferences[],
): Promise<KeyViolations[]> {
  const differences = found.map((one) => one.differences);
  const members = await readMembers(
    client,
    differences.map(({ staged }) => staged.target),
  );
  const changes = new Map(found.map((one) => [one.differences.staged.target.oid, one.changes]));
  const changesOf = (oid: number) => changes.get(members.get(oid)?.oid ?? 0) ?? none;
  const keys = await readTouchingKeys(client, [...members.keys()]);
  const off = planKeys(keys, members).filter(({ hold }) => hold === 'taken off');
  const taken = new Set(off.map(({ key }) => key.oid));
  await readTakenKeys(client, [...taken]);
  const images = await MergedImages.read(
    client,
    differences,
    keys.flatMap(({ child, parent }) => [child, parent]),
  );
  const broken: KeyViolations[] = [];
  for (const key of keys) {
    // As long as no row comes that refers, and none goes that is referred to, it is as sound as it was.
    const isTouched = key.links.some(({ child, parent }) => {
      const [comes, goes] = [changesOf(child), changesOf(parent)];
      return comes.inserted + comes.updated + goes.deleted + goes.updated > 0;
    });
    if (!isTouched) continue;
    const check = await KeyCheck.read(client, key);
    const sides = { child: images.of(key.child), parent: images.of(key.parent) };
    const grown = key.validated ? null : await check.grownTo(client, mostNamed, sides);
    if (!key.validated && grown === null) continue;
    // Of a key that is not taken off, nobody remembers at the end which rows broke it before.
    const violations =
      taken.has(key.oid) && grown !== null ? grown : await check.violations(client, mostNamed, sides);
    if (violations !== null) broken.push(violations);
  }
  return broken;
}
