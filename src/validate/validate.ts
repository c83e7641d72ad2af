import { type CheckOptions, type CheckTools, checkArchive } from './check-archive.ts';
import { type Found, findNamedArchive, type InventoryScope, takeInventory } from './inventory.ts';
import { type ArchiveVerdict, Faults } from './verdict.ts';

/** Archives looked at at a time: enough to hide the round trips to the store, few enough to hold little. */
const lanes = 4;

/** Takes what is found, as it is found. */
export interface ValidationSink {
  verdict(verdict: ArchiveVerdict): void;
  /** Metadata or a manifest without its archive. */
  orphan(key: string): void;
}

/**
 * Looks at everything in a scope, a few archives at a time; memory does not grow with their number.
 *
 * @throws ThawError where something cannot be looked at; the signal's reason when it is aborted
 */
export async function validateArchives(
  scope: InventoryScope,
  options: CheckOptions,
  tools: CheckTools,
  sink: ValidationSink,
): Promise<void> {
  const abort = new AbortController();
  const signal = AbortSignal.any([tools.signal, abort.signal]);
  const found = takeInventory(tools.store, { ...scope, signal });
  const lane = async (): Promise<void> => {
    for (;;) {
      signal.throwIfAborted();
      const next = await found.next();
      if (next.done === true) return;
      await take(next.value, options, { ...tools, signal }, sink);
    }
  };
  const running = Array.from({ length: lanes }, lane);
  try {
    await Promise.all(running);
  } catch (error) {
    // The others give up too, before what they work with is closed.
    abort.abort(error);
    await Promise.allSettled(running);
    throw error;
  }
}

async function take(
  found: Found,
  options: CheckOptions,
  tools: CheckTools,
  sink: ValidationSink,
): Promise<void> {
  if (found.kind === 'orphan') sink.orphan(found.key);
  else sink.verdict(await checkArchive(found, options, tools));
}

/**
 * Looks at one archive; one that is not there is invalid.
 *
 * @param key with or without the configured prefix
 */
export async function validateArchive(
  key: string,
  options: CheckOptions,
  tools: CheckTools,
): Promise<ArchiveVerdict> {
  try {
    return await checkArchive(
      await findNamedArchive(tools.store, key, tools.prefix, tools.signal),
      options,
      tools,
    );
  } catch (error) {
    const faults = new Faults();
    faults.add(error);
    return {
      ...{ key, bytes: 0, records: null, lacksMetadata: false, isMiscounted: false },
      ...{ faults: faults.list(), warnings: [] },
    };
  }
}
