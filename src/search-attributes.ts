import proto from '@temporalio/proto';
import type { NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';
import { searchAttributes } from './contract/names.ts';

const keyword = proto.temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD;

/**
 * Registers Thaw's search attributes where they are missing.
 *
 * @returns whether they are registered: not where the server does not let us, and then they are left out,
 * since setting one that is not registered makes workflow tasks fail for ever
 */
export async function registerSearchAttributes(
  connection: NativeConnection,
  namespace: string,
  logger: Logger,
): Promise<boolean> {
  const wanted = Object.values(searchAttributes);
  try {
    const missing = await missingOf(connection, namespace, wanted);
    if (missing.length > 0) {
      const added = Object.fromEntries(missing.map((name) => [name, keyword]));
      const refused = await connection.operatorService
        .addSearchAttributes({ namespace, searchAttributes: added })
        .then(() => null, String);
      // Another worker may just have been faster, so only what is there counts.
      const left = await missingOf(connection, namespace, wanted);
      if (left.length > 0) logger.warn({ error: refused, left }, 'search attributes are left out');
      return left.length === 0;
    }
    return true;
  } catch (error) {
    logger.warn({ error: String(error) }, 'search attributes are left out');
    return false;
  }
}

async function missingOf(
  connection: NativeConnection,
  namespace: string,
  wanted: readonly string[],
): Promise<string[]> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  return wanted.filter((name) => customAttributes?.[name] === undefined);
}
