import type { ThawConfig } from '../config/thaw-config.ts';
import type { RecordedRestore } from './runs.ts';

export async function findRecorded(
  _config: ThawConfig,
  _env: NodeJS.ProcessEnv,
  _restoreId: string,
): Promise<RecordedRestore | null> {
  return null;
}
