import type { DatabaseFacts, DumpActivities, DumpProof } from '../src/contract/dump-activities.ts';
import type { DumpRequest } from '../src/contract/dump-request.ts';
import { ThawError } from '../src/contract/thaw-error.ts';
import { checkLive } from '../src/dump/target/check-live.ts';
import { checkNeeds } from '../src/dump/target/check-needs.ts';
import { checkTarget } from '../src/dump/target/check-target.ts';
import { planLoad } from '../src/dump/target/dry-run.ts';
import { surveyDatabase as survey } from '../src/dump/verify/survey.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { withDatabase } from '../src/postgres/connect-database.ts';
import { countSessions } from '../src/postgres/database-sessions.ts';
import { writeSurvey } from '../src/postgres/dump-records.ts';
import { withDumpTools } from './dump-tools.ts';
import { keepRecord } from './keep-record.ts';

/** Rows that are not counted by then are estimated: a restore after a disaster does not wait for the counts of what is lost. */
const countSeconds = 120;

/** Writes down what the live database is, and sees that it may be replaced and that its server can take the dump. */
export function surveyDatabase(thaw: ThawContext): DumpActivities['surveyDatabase'] {
  return ({ request, proof }) =>
    withDumpTools(thaw, request, async ({ inMaintenance, connection, env, signal, applicationName }) => {
      if (proof.format === 'cluster') demandWholeServer(request, proof);
      const notices = await inMaintenance((client) => checkNeeds(client, proof, request));
      const isThere = await inMaintenance((client) => checkTarget(client, request));
      const isDryRun = request.dryRun === true;
      const plan = async (before: DatabaseFacts | null) => {
        if (!isDryRun) return {};
        const sessions = await inMaintenance((client) => countSessions(client, request.database));
        return { wouldDo: await planLoad({ request, proof, before, sessions, env }) };
      };
      if (!isThere) return { before: null, notices, ...(await plan(null)) };
      const live = connection(request.database);
      if (request.mode !== 'into-existing') {
        await withDatabase(live, env, { applicationName, signal }, (client) =>
          checkLive(client, request.database),
        );
      }
      const found = await survey({ connection: live, env, seconds: countSeconds, signal });
      if (!isDryRun) {
        await inMaintenance((client) => keepRecord(client, () => writeSurvey(client, request, found)));
      }
      return { before: found.facts, notices, ...(await plan(found.facts)) };
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
