import { copyModel } from '../src/bundle/copy-model.ts';
import { openedLines, validLine } from '../src/bundle/import-log.ts';
import { isProtectedSchema } from '../src/bundle/protected.ts';
import { checkRequirements } from '../src/bundle/requirements.ts';
import { selectModels } from '../src/bundle/selection.ts';
import type { Activities } from '../src/contract/activities.ts';
import { ThawError } from '../src/contract/thaw-error.ts';
import { readInstalled } from '../src/control/installed-bundles.ts';
import { updateRun } from '../src/control/runs.ts';
import { type BundleWorker, withBundle, writeLog } from './bundle-tools.ts';

/**
 * Opens the bundle and checks it and what it requires; with `validateOnly` its files are read to their ends.
 *
 * @param searchAttributes whether they are registered
 */
export function inspectBundle(worker: BundleWorker, searchAttributes: boolean): Activities['inspectBundle'] {
  return async (request) => {
    const { restoreId, namespace } = request;
    const control = worker.control.database;
    await control.use((client) => updateRun(client, restoreId, { state: 'planning' }));
    if (isProtectedSchema(namespace)) {
      throw new ThawError('PermissionDenied', `${namespace}: nothing is restored into this schema.`, {
        object: namespace,
        hint: 'Name another schema as the namespace.',
      });
    }
    return withBundle(worker, request, async (bundle, progress) => {
      const selection = await selectModels(bundle, request);
      const { models, files } = selection;
      const contents = {
        models: models.length,
        files: files.length,
        bytes: files.reduce((sum, file) => sum + file.bytes, 0),
        searchAttributes,
      };
      await writeLog(worker, restoreId, [...openedLines(request, contents), ...selection.lines]);
      if (request.validateOnly) {
        let records = 0;
        for (const file of files) {
          progress.enter('copy', file.name);
          records += (await copyModel(file, [], null, (read) => progress.move(0, read))).records;
        }
        await writeLog(worker, restoreId, [validLine(files.length, records)]);
      } else {
        const installed = await control.use((client) => readInstalled(client, request));
        checkRequirements(bundle.manifest?.requires ?? [], installed);
      }
      return contents;
    });
  };
}
