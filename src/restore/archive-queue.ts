import type { ArchiveExtent, ArchivePage, ArchiveRef } from '../contract/activities.ts';
import { formLoads, type Load, maxSingles, type PackRule } from './packs.ts';

/** An {@link ArchiveQueue} between two runs of a workflow. */
export interface CarriedQueue {
  readonly folder: string;
  readonly loads: readonly Load[];
  readonly cursor: string | null;
  readonly listed: boolean;
  readonly packing: boolean;
  readonly nextOrdinal: number;
  readonly found: ArchiveExtent;
  readonly total: ArchiveExtent | null;
}

/** The archives of a table that are still to be loaded, in archive order, and what is known of their number. */
export class ArchiveQueue {
  readonly #rule: PackRule;
  #folder: string;
  #loads: Load[];
  #cursor: string | null;
  #listed: boolean;
  /** Small archives share loads: a table of few archives gives each its own. */
  #packing: boolean;
  #nextOrdinal: number;
  #found: ArchiveExtent;
  #total: ArchiveExtent | null;

  constructor(rule: PackRule, carried: CarriedQueue | null) {
    this.#rule = rule;
    this.#folder = carried?.folder ?? '';
    this.#loads = [...(carried?.loads ?? [])];
    this.#cursor = carried?.cursor ?? null;
    this.#listed = carried?.listed ?? false;
    this.#packing = carried?.packing ?? false;
    this.#nextOrdinal = carried?.nextOrdinal ?? 0;
    this.#found = carried?.found ?? { archives: 0, bytes: 0 };
    this.#total = carried?.total ?? null;
  }

  /** The folder that the names of archives are relative to. */
  get folder(): string {
    return this.#folder;
  }

  /** Where the listing goes on; null at its start. */
  get cursor(): string | null {
    return this.#cursor;
  }

  /** Every archive was listed. */
  get listed(): boolean {
    return this.#listed;
  }

  get isEmpty(): boolean {
    return this.#loads.length === 0;
  }

  /** What was listed until now, with what was restored earlier. */
  get found(): ArchiveExtent {
    return this.#found;
  }

  /** All archives of the table; null while it is not known. */
  get total(): ArchiveExtent | null {
    return this.#total;
  }

  /** Cuts a page into loads behind those that wait. */
  take(page: ArchivePage): void {
    this.#folder = page.folder;
    this.#cursor = page.next;
    this.#listed = page.next === null;
    this.#packing ||= page.next !== null || page.archives.length > maxSingles;
    this.#append(page.archives, this.#packing ? this.#rule : { ...this.#rule, packBytes: 0 });
    this.#found = {
      archives: this.#found.archives + page.archives.length + page.earlier.archives,
      bytes: page.archives.reduce((sum, { bytes }) => sum + bytes, this.#found.bytes + page.earlier.bytes),
    };
    if (this.#listed) this.#total = this.#found;
  }

  /** Puts archives behind the others once more, each alone: one that fails again must not take others with it. */
  again(archives: readonly ArchiveRef[]): void {
    this.#append(archives, { packBytes: 0, commitFrequency: null });
  }

  /** The first load in archive order. */
  next(): Load | null {
    return this.#loads.shift() ?? null;
  }

  /** Gives a load its place back, as it was not done. */
  putBack(load: Load): void {
    const place = this.#loads.findIndex((other) => other.firstOrdinal > load.firstOrdinal);
    this.#loads.splice(place === -1 ? this.#loads.length : place, 0, load);
  }

  /** Tells how much there is in all; what the listing itself says at its end is truer. */
  setTotal(total: ArchiveExtent): void {
    this.#total ??= total;
  }

  carry(): CarriedQueue {
    return {
      folder: this.#folder,
      loads: this.#loads,
      cursor: this.#cursor,
      listed: this.#listed,
      packing: this.#packing,
      nextOrdinal: this.#nextOrdinal,
      found: this.#found,
      total: this.#total,
    };
  }

  #append(archives: readonly ArchiveRef[], rule: PackRule): void {
    this.#loads.push(...formLoads(archives, this.#nextOrdinal, rule));
    this.#nextOrdinal += archives.length;
  }
}
