import { asIs, type FieldNaming, fieldError } from '../../client/restore-input.ts';
import type { SourceInput, SourceSettings } from './source.ts';

/** A source that is told by `source_ref` and options alone: what else a saved restore has, has one value only. */
export type PlainSettings = Omit<SourceSettings, 'source_ref' | 'options'>;

/** What a dump replaces, its options say. */
export const onlyStrategy = 'replace';

/** Those of a source of that type. */
export function plainSettings(type: SourceSettings['source_type']): PlainSettings {
  return {
    source_type: type,
    conflict_strategy: onlyStrategy,
    include: ['describe', 'data'],
    models: null,
    create_models: true,
  };
}

/** Refuses other values; a record that is sent back as it was read is taken. @throws ThawError `InputInvalid` */
export function refuseOthers(plain: object, input: SourceInput, what: string): void {
  for (const [field, only] of Object.entries(plain)) {
    const value: unknown = Reflect.get(input, field);
    if (value === undefined || JSON.stringify(value) === JSON.stringify(only)) continue;
    throw fieldError(field, `must be ${JSON.stringify(only)} for ${what}, of which options choose parts`);
  }
}

/** Takes a request apart whose options stand beside the rest, as those of a restore do that is not saved. */
export function takenApart({ source_type: _, ...body }: Readonly<Record<string, unknown>>): SourceInput {
  const own = [...Object.keys(plainSettings('dump')), 'source_ref'];
  const entries = Object.entries(body);
  return {
    ...Object.fromEntries(entries.filter(([name]) => own.includes(name))),
    options: Object.fromEntries(entries.filter(([name]) => !own.includes(name))),
  };
}

/** Names an option as it stands in a saved restore. */
export function inOptions(field: string): string {
  return `options.${field}`;
}

/** How messages name options: of a saved restore, and of one that is not. */
export const namings = { saved: inOptions, once: asIs } as const satisfies Record<string, FieldNaming>;
