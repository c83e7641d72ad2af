import type { TargetTable } from '../postgres/catalog.ts';
import { databaseError } from '../postgres/sqlstate.ts';
import type { ModelFile } from './bundle.ts';

/** A file and where it goes. */
export interface ModelLoad {
  readonly file: ModelFile;
  readonly target: TargetTable;
}

/** Does something with the tables of models. @throws ThawError naming them, the first five at least */
export async function aboutModels<T>(loads: readonly ModelLoad[], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (raw) {
    const names = loads.map(({ target }) => `${target.schema}.${target.table}`);
    throw databaseError(raw, { object: names.slice(0, 5).join(', ') });
  }
}
