import { defineSearchAttributeKey, type SearchAttributePair, SearchAttributeType } from '@temporalio/common';
import { upsertSearchAttributes } from '@temporalio/workflow';
import { searchAttributes } from '../src/contract/names.ts';
import type { RestoreState } from '../src/contract/progress.ts';

const restoreIdKey = defineSearchAttributeKey(searchAttributes.restoreId, SearchAttributeType.KEYWORD);
const databaseKey = defineSearchAttributeKey(searchAttributes.database, SearchAttributeType.KEYWORD);
const tableKey = defineSearchAttributeKey(searchAttributes.table, SearchAttributeType.KEYWORD);
const stateKey = defineSearchAttributeKey(searchAttributes.state, SearchAttributeType.KEYWORD);

/** What a workflow can be searched by. */
export interface SearchTerms {
  readonly restoreId: string;
  readonly database: string;
  readonly table?: string;
  readonly state?: RestoreState;
}

/** Start options that set the search attributes of a child; none where they are not registered. */
export function searchAttributesOf(
  registered: boolean,
  terms: SearchTerms,
): { typedSearchAttributes?: SearchAttributePair[] } {
  return registered ? { typedSearchAttributes: pairsOf(terms) } : {};
}

/** The search attributes of the running workflow itself. */
export class SearchState {
  #registered: boolean;
  #state: RestoreState | null;

  /**
   * @param registered whether they may be set; a restore knows only once it has planned
   * @param state what was set at its start; null when that is not known
   */
  constructor(registered: boolean, state: RestoreState | null) {
    this.#registered = registered;
    this.#state = state;
  }

  /** Sets all of them. */
  register(terms: SearchTerms & { readonly state: RestoreState }): void {
    this.#registered = true;
    this.#state = terms.state;
    upsertSearchAttributes(pairsOf(terms));
  }

  /** Sets the state: an event of the history, so only when it is another one. */
  set(state: RestoreState): void {
    if (!this.#registered || state === this.#state) return;
    this.#state = state;
    upsertSearchAttributes([{ key: stateKey, value: state }]);
  }
}

function pairsOf({ restoreId, database, table, state }: SearchTerms): SearchAttributePair[] {
  const pairs: SearchAttributePair[] = [
    { key: restoreIdKey, value: restoreId },
    { key: databaseKey, value: database },
  ];
  if (table !== undefined) pairs.push({ key: tableKey, value: table });
  if (state !== undefined) pairs.push({ key: stateKey, value: state });
  return pairs;
}
