import type { DumpActivities, DumpProof } from '../src/contract/dump-activities.ts';
import type { DumpRequest } from '../src/contract/dump-request.ts';
import { ThawError } from '../src/contract/thaw-error.ts';
import { checkReplaceable } from '../src/dump/swap/check-target.ts';
import { checkNeeds } from '../src/dump/target/check-needs.ts';
import { surveyDatabase as survey } from '../src/dump/verify/survey.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { readDatabase } from '../src/postgres/databases.ts';
import { writeSurvey } from '../src/postgres/dump-records.ts';
import { type DumpTools, withDumpTools } from './dump-tools.ts';
import { keepRecord } from './keep-record.ts';

/** Rows that are not counted by then are estimated: a restore after a disaster does not wait for the counts of what is lost. */
const countSeconds = 120;

/** Writes down what the live database is, and sees that it may be replaced and that its server can take the dump. */
export function surveyDatabase(thaw: ThawContext): DumpActivities['surveyDatabase'] {
  return ({ request, proof }) =>
    withDumpTools(thaw, request, async (tools) => {
      const { inMaintenance, connection, env, signal } = tools;
      if (proof.format === 'cluster') demandWholeServer(request, proof);
      const notices = await inMaintenance((client) => checkNeeds(client, proof, request));
      const isThere = await checkTarget(tools, request);
      if (!isThere) return { before: null, notices };
      const found = await survey({
        ...{ connection: connection(request.database), env, seconds: countSeconds, signal },
      });
      await inMaintenance((client) => keepRecord(client, () => writeSurvey(client, request, found)));
      return { before: found.facts, notices };
    });
}

/** Whether the database is there. @throws ThawError where it may not be replaced, or is missing */
function checkTarget({ inMaintenance }: DumpTools, request: DumpRequest): Promise<boolean> {
  const { database, create, owner, mode } = request;
  return inMaintenance(async (client) => {
    const found = await readDatabase(client, database);
    if (mode !== 'into-existing') await checkReplaceable(client, { database, create, owner });
    else if (found === null && !create) {
      throw new ThawError('TargetMissing', `There is no database ${database}.`, {
        object: database,
        hint: 'Correct the name, or have it made with --create.',
      });
    }
    return found !== null;
  });
}

/** @throws ThawError `InputInvalid` where what pg_dumpall writes is to become one database */
function demandWholeServer({ mode }: DumpRequest, { dump }: DumpProof): void {
  if (mode === 'into-existing') return;
  throw new ThawError(
    'InputInvalid',
    `${dump.key} is what pg_dumpall writes: roles and databases of a whole server, which make no single database.`,
    {
      object: dump.key,
      hint: 'Load it into a server made for it with --mode into-existing; or restore a dump of the one database.',
    },
  );
}
