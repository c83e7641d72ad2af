import { fieldError } from '../../client/restore-input.ts';
import type { RunRequest } from '../../contract/run-request.ts';
import { type ArchivesDependencies, archivesSource } from './archives.ts';
import { type BundlesDependencies, extractRunSource, uploadSource, urlSource } from './bundles.ts';
import { type DrillsDependencies, drillSource } from './drills.ts';
import { type DumpsDependencies, dumpSource } from './dumps.ts';
import { type SnapshotSourceDependencies, snapshotSource } from './snapshots.ts';
import type { RunSource, Source } from './source.ts';
import { type SystemsDependencies, systemSource } from './systems.ts';
import { type UndosDependencies, undoSource } from './undos.ts';

/** The kinds of sources that this API restores from: the one place to add another to. */
export class Sources {
  readonly #sources: ReadonlyMap<string, Source>;
  readonly #undos: RunSource;

  constructor(
    dependencies: ArchivesDependencies &
      BundlesDependencies &
      DumpsDependencies &
      DrillsDependencies &
      SystemsDependencies &
      SnapshotSourceDependencies &
      UndosDependencies,
  ) {
    this.#sources = new Map([
      ['upload', uploadSource(dependencies) as Source],
      ['extract_run', extractRunSource(dependencies) as Source],
      ['url', urlSource(dependencies) as Source],
      ['archives', archivesSource(dependencies) as Source],
      ['dump', dumpSource(dependencies) as Source],
      ['drill', drillSource(dependencies) as Source],
      ['system', systemSource(dependencies) as Source],
      ['snapshot', snapshotSource(dependencies) as Source],
    ]);
    this.#undos = undoSource(dependencies) as RunSource;
  }

  /** The source of that type. @throws ThawError `InputInvalid` where there is none */
  of(type: string): Source {
    const source = this.#sources.get(type);
    if (source !== undefined) return source;
    throw fieldError('source_type', `must be one of ${[...this.#sources.keys()].join(', ')}`, type);
  }

  /** What does and follows a run of that request. */
  ofRequest(request: RunRequest): RunSource {
    return request.sourceType === 'undo' ? this.#undos : this.of(request.sourceType);
  }
}
