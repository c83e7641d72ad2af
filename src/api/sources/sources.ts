import { fieldError } from '../../client/restore-input.ts';
import type { ThawConfig } from '../../config/thaw-config.ts';
import type { SourceType } from '../../contract/run-request.ts';
import { archivesSource } from './archives.ts';
import type { Source } from './source.ts';

/** The kinds of sources that this API restores from: the one place to add another to. */
export type Sources = Readonly<Partial<Record<SourceType, Source>>>;

/** Opens the sources that there are. */
export function openSources(config: ThawConfig): Sources {
  return { archives: archivesSource(config) };
}

/** The source of that type. @throws ThawError `InputInvalid` where there is none */
export function sourceOf(sources: Sources, type: string): Source {
  const source = Object.hasOwn(sources, type) ? sources[type as SourceType] : undefined;
  if (source !== undefined) return source;
  throw fieldError('source_type', `must be one of ${Object.keys(sources).join(', ')}`, type);
}
