/** Something with those that it points at, and that have to come before it. */
export interface OrderNode {
  readonly name: string;
  readonly parents: readonly string[];
}

/**
 * Orders models or tables, those that are pointed at first. Such as point at each other in a circle are one group,
 * as no order of them is right, by name; any other is a group by itself, also one that points at itself. Parents
 * that are not among the nodes are passed over.
 *
 * The strongly connected components by Tarjan's algorithm, with a stack of its own: 10,000 nodes in a chain
 * are deeper than JavaScript calls may go. https://doi.org/10.1137/0201010
 */
export function parentsFirst(nodes: readonly OrderNode[]): string[][] {
  const parents = new Map(nodes.map((node) => [node.name, node.parents]));
  const visits = new Map<string, Visit>();
  const open: Visit[] = [];
  const groups: string[][] = [];

  const enter = (name: string): Visit => {
    const visit: Visit = { name, index: visits.size, low: visits.size, isOpen: true, next: 0 };
    visits.set(name, visit);
    open.push(visit);
    return visit;
  };

  for (const { name } of nodes) {
    if (visits.has(name)) continue;
    const path = [enter(name)];
    for (let visit = path.at(-1); visit !== undefined; visit = path.at(-1)) {
      const parent = parents.get(visit.name)?.[visit.next];
      if (parent !== undefined) {
        visit.next += 1;
        const seen = visits.get(parent);
        if (seen?.isOpen) visit.low = Math.min(visit.low, seen.index);
        else if (seen === undefined && parents.has(parent)) path.push(enter(parent));
        continue;
      }
      path.pop();
      const child = path.at(-1);
      if (child !== undefined) child.low = Math.min(child.low, visit.low);
      if (visit.low === visit.index) groups.push(close(open, visit));
    }
  }
  return groups;
}

interface Visit {
  readonly name: string;
  readonly index: number;
  /** Least index that is reached from it within what is open. */
  low: number;
  isOpen: boolean;
  /** Place of the parent to look at next. */
  next: number;
}

function close(open: Visit[], first: Visit): string[] {
  const group = open.splice(open.lastIndexOf(first));
  for (const visit of group) visit.isOpen = false;
  return group.map(({ name }) => name).sort();
}
