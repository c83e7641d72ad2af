import { workflowTypes } from '../contract/names.ts';
import type { TableError } from '../contract/outcome.ts';

const committed = 'What was committed stands, and the ledger has it: start the restore again to go on.';

/** What to do after a restore that had no chance to put its things in order, by the type of its workflow. */
const hints: Readonly<Partial<Record<string, string>>> = {
  [workflowTypes.restoreSystem]:
    'Its services may be stopped still: `thaw restore-system --start-services`, given on the machine of the worker, ' +
    'tells which databases were replaced, and starts them.',
  [workflowTypes.restoreDump]:
    'The database is the old one or the new one as a whole, unless it was restored in place: `thaw dumps` tells what ' +
    'lies beside it. Start the restore again.',
  [workflowTypes.drill]:
    'No live database was touched. Start the drill again; the next one names a scratch place that was left.',
  [workflowTypes.restoreSnapshot]:
    'Its tables are all as they were, or all restored: `thaw snapshot history` tells which, and removes what it has left.',
  [workflowTypes.restorePitr]:
    'The cluster that was backed up was not touched. Stop what runs in the new folder, remove it, and recover again.',
};

/** Why a restore has no outcome that was terminated in Temporal, or ran out of time there. */
export function terminatedRestore(workflowType: string): TableError {
  return {
    code: 'InputInvalid',
    message: 'The restore was terminated in Temporal.',
    hint: hints[workflowType] ?? committed,
  };
}

/** The same of one that Temporal does not know any more, and that left no end in a database. */
export function forgottenRestore(workflowType: string): TableError {
  return {
    code: 'InputInvalid',
    message: 'Temporal does not know the restore any more.',
    hint: hints[workflowType] ?? committed,
  };
}
