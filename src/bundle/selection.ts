import type { BundleRequest } from '../contract/run-request.ts';
import type { LogLine } from '../control/logs.ts';
import type { Bundle, ModelFile } from './bundle.ts';
import type { DescribedModel } from './describe.ts';
import { skippedModel, warning } from './import-log.ts';
import { isProtectedModel } from './protected.ts';

/** What of a bundle is restored. */
export interface Selection {
  readonly models: readonly DescribedModel[];
  readonly files: readonly ModelFile[];
  /** What is left out, and what has no effect. */
  readonly lines: readonly LogLine[];
}

/** Chooses the files that were asked for, without reading the description: that of thousands of models takes seconds. */
export function selectFiles(
  bundle: Pick<Bundle, 'files'>,
  request: Pick<BundleRequest, 'include' | 'models'>,
): ModelFile[] {
  if (!request.include.includes('data')) return [];
  const isWanted = wantedModels(request);
  return bundle.files.filter(({ model }) => isWanted(model));
}

/** Chooses what of a bundle was asked for; what the source system keeps for itself is never among it. */
export async function selectModels(
  bundle: Bundle,
  request: Pick<BundleRequest, 'include' | 'models'>,
): Promise<Selection> {
  const description = await bundle.readDescription();
  const described = description?.models ?? [];
  const isWanted = wantedModels(request);
  const names = new Set([...described.map(({ name }) => name), ...bundle.files.map(({ model }) => model)]);
  const left = [...names].flatMap((model) => {
    if (isWanted(model)) return [];
    return isProtectedModel(model)
      ? [skippedModel(model, 'the source system keeps it for itself', 'warn')]
      : [skippedModel(model, 'not in filter')];
  });
  const absent = (request.models ?? []).filter((model) => !names.has(model));
  return {
    models: request.include.includes('describe') ? described.filter(({ name }) => isWanted(name)) : [],
    files: selectFiles(bundle, request),
    lines: [
      ...(description?.warnings ?? []).map((message) => warning('validation', null, message)),
      ...absent.map((model) => warning('validation', model, 'Model is not in the bundle')),
      ...left,
    ],
  };
}

function wantedModels({ models }: Pick<BundleRequest, 'models'>): (model: string) => boolean {
  const wanted = models === null ? null : new Set(models);
  return (model) => wanted?.has(model) !== false && !isProtectedModel(model);
}
