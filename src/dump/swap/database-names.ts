/** Bytes that PostgreSQL keeps of a name. */
export const nameLimit = 63;

/** Characters of a restore's id in the name of a database. */
const idLength = 12;

/**
 * The name of the database that a restore makes beside the live one. It has the end of the restore's id, since
 * the beginning is a date or a word that others share.
 */
export function newDatabaseName(live: string, restoreId: string): string {
  return withSuffix(live, `__thaw_${shortId(restoreId)}`);
}

/** The name under which a database is kept that was replaced at that time: `argus_db__old_20260104_020000`, in UTC. */
export function oldDatabaseName(live: string, at: Date): string {
  const [day = '', time = ''] = at.toISOString().replaceAll(/[-:]/g, '').split(/[T.]/);
  return withSuffix(live, `__old_${day}_${time}`);
}

/** The name of the database that a drill restores into: `argus_db__drill_120000abc123`. */
export function scratchDatabaseName(live: string, drillId: string): string {
  return withSuffix(live, `${scratchMark}${shortId(drillId)}`);
}

/** The name of the schema that a drill restores archives into. */
export function scratchSchemaName(drillId: string): string {
  return `thaw_drill_${shortId(drillId).toLowerCase()}`;
}

/** Stands between the name of a database and the drill that a scratch database was made for. */
export const scratchMark = '__drill_';

function shortId(id: string): string {
  return id.replaceAll(/[^A-Za-z0-9]/g, '').slice(-idLength);
}

/** Cuts the beginning, at a whole character, so that both fit. */
function withSuffix(name: string, suffix: string): string {
  let kept = '';
  for (const character of name) {
    if (Buffer.byteLength(kept + character + suffix) > nameLimit) break;
    kept += character;
  }
  return kept + suffix;
}
