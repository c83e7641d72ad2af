/** A model with those that it points at, and that have to come before it. */
export interface ModelNode {
  readonly model: string;
  readonly parents: readonly string[];
}

/**
 * Orders models, those that are pointed at first. Models that point at each other in a circle are one group,
 * as no order of them is right; any other model is a group by itself, also one that points at itself.
 *
 * The strongly connected components by Tarjan's algorithm, with a stack of its own: 10,000 models in a chain
 * are deeper than JavaScript calls may go. https://doi.org/10.1137/0201010
 */
export function orderModels(nodes: readonly ModelNode[]): string[][] {
  const parents = new Map(nodes.map((node) => [node.model, node.parents]));
  const visits = new Map<string, Visit>();
  const open: Visit[] = [];
  const groups: string[][] = [];

  const enter = (model: string): Visit => {
    const visit: Visit = { model, index: visits.size, low: visits.size, isOpen: true, next: 0 };
    visits.set(model, visit);
    open.push(visit);
    return visit;
  };

  for (const { model } of nodes) {
    if (visits.has(model)) continue;
    const path = [enter(model)];
    for (let visit = path.at(-1); visit !== undefined; visit = path.at(-1)) {
      const parent = parents.get(visit.model)?.[visit.next];
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
  readonly model: string;
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
  return group.map(({ model }) => model).sort();
}
