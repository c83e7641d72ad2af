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
  readonly table: string;
  readonly state: RestoreState;
}

/** Start options that set the search attributes; none where they are not registered. */
export function searchAttributesOf(
  registered: boolean,
  terms: SearchTerms,
): { typedSearchAttributes?: SearchAttributePair[] } {
  if (!registered) return {};
  return {
    typedSearchAttributes: [
      { key: restoreIdKey, value: terms.restoreId },
      { key: databaseKey, value: terms.database },
      { key: tableKey, value: terms.table },
      { key: stateKey, value: terms.state },
    ],
  };
}

/** Sets search attributes of the running workflow: an event each time, so only when they change. */
export function setSearchAttributes(registered: boolean, terms: Partial<SearchTerms>): void {
  if (!registered) return;
  const pairs: SearchAttributePair[] = [];
  if (terms.restoreId !== undefined) pairs.push({ key: restoreIdKey, value: terms.restoreId });
  if (terms.database !== undefined) pairs.push({ key: databaseKey, value: terms.database });
  if (terms.state !== undefined) pairs.push({ key: stateKey, value: terms.state });
  upsertSearchAttributes(pairs);
}
