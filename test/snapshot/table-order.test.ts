import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { FoundTable, TouchingKey } from '../../src/postgres/snapshot-foreign-keys.ts';
import { orderByKeys } from '../../src/snapshot/order/table-order.ts';

/** Which of some places can be reached from which, themselves included, by going over all pairs again and again. */
function reachable(count: number, edges: readonly (readonly [number, number])[]): boolean[][] {
  const reach = Array.from({ length: count }, (_, from) =>
    Array.from({ length: count }, (_, to) => from === to || edges.some(([a, b]) => a === from && b === to)),
  );
  for (let via = 0; via < count; via += 1) {
    for (const row of reach) {
      if (row[via] !== true) continue;
      for (const [to, is] of (reach[via] ?? []).entries()) if (is) row[to] = true;
    }
  }
  return reach;
}

const graphs = fc.integer({ min: 1, max: 12 }).chain((count) =>
  fc.record({
    count: fc.constant(count),
    /** Of the tables; the others are outside. */
    given: fc.uniqueArray(fc.integer({ min: 0, max: count - 1 }), { minLength: 1 }),
    edges: fc.array(
      fc.tuple(fc.integer({ min: 0, max: count - 1 }), fc.integer({ min: 0, max: count - 1 })),
      { maxLength: 3 * count },
    ),
  }),
);

it('puts each table behind those that it refers to, and just those of a circle into one group', () => {
  fc.assert(
    fc.property(graphs, ({ count, given, edges }) => {
      const tables = Array.from(
        { length: count },
        (_, oid): FoundTable => ({ oid, schema: oid % 2 === 0 ? 'a' : 'b', table: `t${oid}` }),
      );
      const at = (oid: number) => tables[oid] as FoundTable;
      const keys = edges
        .filter((edge) => edge.some((oid) => given.includes(oid)))
        .map(
          ([child, parent], oid): TouchingKey => ({
            oid,
            name: `k${oid}`,
            child: at(child),
            parent: at(parent),
            deferrable: false,
            initiallyDeferred: false,
            validated: true,
            onDelete: 'no action',
            onUpdate: 'no action',
            ...{ indexed: false, replaceable: true },
            links: [{ child, parent }],
          }),
        );
      const chosen = given.map(at);
      const members = new Map(chosen.map((table) => [table.oid, table]));
      const { groups, inside, outward, inward } = orderByKeys(chosen, members, keys);
      expect(groups.flat().map(({ oid }) => oid)).toHaveLength(given.length);
      const place = new Map(groups.flatMap((group, each) => group.map(({ oid }) => [oid, each] as const)));
      expect(new Set(place.keys())).toEqual(new Set(given));

      const within = edges.filter((edge) => edge.every((oid) => given.includes(oid)));
      const reach = reachable(count, within);
      for (const one of given) {
        for (const other of given) {
          const circle = reach[one]?.[other] === true && reach[other]?.[one] === true;
          expect(place.get(one) === place.get(other)).toBe(circle);
        }
      }
      for (const [child, parent] of within) {
        expect(place.get(child)).toBeGreaterThanOrEqual(place.get(parent) ?? Number.NaN);
      }
      expect(inside).toHaveLength(within.length);
      expect(outward.every(({ parent }) => !given.includes(Number(parent.table.slice(1))))).toBe(true);
      expect(inward.every(({ child }) => !given.includes(Number(child.table.slice(1))))).toBe(true);
      expect(inside.length + outward.length + inward.length).toBe(keys.length);
      expect(orderByKeys(chosen.toReversed(), members, keys).groups).toEqual(groups);
    }),
    { numRuns: 300 },
  );
});
