import { fieldError } from '../../client/restore-input.ts';
import type { RunRequest } from '../../contract/run-request.ts';
import { type ArchivesDependencies, archivesSource } from './archives.ts';
import { type BundlesDependencies, extractRunSource, uploadSource, urlSource } from './bundles.ts';
import { type DrillsDependencies, drillSource } from './drills.ts';
import { type DumpsDependencies, dumpSource } from './dumps.ts';
import type { Source } from './source.ts';
import { type SystemsDependencies, systemSource } from './systems.ts';

/** The kinds of sources that this API restores from: the one place to add another to. */
export class Sources {
  readonly #sources: ReadonlyMap<string, Source>;

  constructor(
    dependencies: ArchivesDependencies &
      BundlesDependencies &
      DumpsDependencies &
      DrillsDependencies &
      SystemsDependencies,
  ) {
    this.#sources = new Map([
      ['upload', uploadSource(dependencies) as Source],
      ['extract_run', extractRunSource(dependencies) as Source],
      ['url', urlSource(dependencies) as Source],
      ['archives', archivesSource(dependencies) as Source],
      ['dump', dumpSource(dependencies) as Source],
      ['drill', drillSource(dependencies) as Source],
      ['system', systemSource(dependencies) as Source],
    ]);
  }

  /** The source of that type. @throws ThawError `InputInvalid` where there is none */
  of(type: string): Source {
    const source = this.#sources.get(type);
    if (source !== undefined) return source;
    throw fieldError('source_type', `must be one of ${[...this.#sources.keys()].join(', ')}`, type);
  }

  /** The source that a request is of. */
  ofRequest(request: RunRequest): Source {
    return this.of(request.sourceType);
  }
}
