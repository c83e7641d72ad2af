import { describe, expect, it } from 'vitest';
import { apiErrorStatus } from '../../src/api/api-error.ts';
import { restoreCreation } from '../../src/api/restore-record.ts';
import { bundleInput } from '../../src/api/sources/bundles.ts';
import { dumpOptions } from '../../src/api/sources/dump-settings.ts';
import { restoreInput } from '../../src/client/restore-input.ts';
import { restoreStates } from '../../src/contract/progress.ts';
import { sourceTypes } from '../../src/contract/run-request.ts';
import { runStatus } from '../../src/contract/run-status.ts';
import { codeIn, readDocument, tableRows } from './markdown.ts';

const document = readDocument('docs/api.md');
const [ofStart = '', ofSaved = ''] = document.split('\n## Saved restores\n');

/** The values of a cell, for each name that stands before it. */
function byName(rows: readonly string[][]): Map<string, string> {
  return new Map(rows.flatMap(([names = '', value = '']) => codeIn(names).map((name) => [name, value])));
}

/** The default that a cell names, as the definition has it; undefined where it has words instead. */
function literal(cell: string): unknown {
  const [code] = codeIn(cell);
  if (code === undefined) return /^\d+$/.test(cell) ? Number(cell) : undefined;
  try {
    return JSON.parse(code);
  } catch {
    return code;
  }
}

describe('docs/api.md', () => {
  const start = byName(tableRows(ofStart, 'field'));
  const saved = byName(tableRows(ofSaved, 'field'));

  it('has every field of a restore of archives', () => {
    expect([...start.keys()].sort()).toEqual(Object.keys(restoreInput.shape).sort());
  });

  it.each([...start])('says what %s is by default: %s', (name, cell) => {
    const { [name]: value } = restoreInput.parse({}) as Record<string, unknown>;
    // Bytes are written with their unit, and one default depends on what else is asked for.
    if (name === 'pack_bytes')
      expect(restoreInput.parse({ pack_bytes: literal(cell) })).toMatchObject({ pack_bytes: value });
    else if (name !== 'restore_all') expect(literal(cell)).toEqual(value);
  });

  it('has every field of a saved restore, and every source', () => {
    expect([...saved.keys()].sort()).toEqual(Object.keys(restoreCreation.shape).sort());
    const [, , sources = ''] = tableRows(ofSaved, 'field').find(([name]) => name === '`source_type`') ?? [];
    expect(codeIn(sources)).toEqual(expect.arrayContaining([...sourceTypes]));
  });

  it.each(['include', 'models', 'create_models', 'source_ref', 'options'] as const)(
    'says what %s of a bundle is by default',
    (name) => {
      expect(literal(saved.get(name) ?? '')).toEqual(bundleInput.parse({})[name]);
    },
  );

  it('has every option of a restore of a dump, with its default', () => {
    const options = byName(tableRows(document, 'option'));
    expect([...options.keys()].sort()).toEqual(Object.keys(dumpOptions.shape).sort());
    const { fallback, keep_old, allow_errors, clean } = dumpOptions.parse({});
    for (const [name, value] of Object.entries({ fallback, keep_old, allow_errors, clean })) {
      expect(literal(options.get(name) ?? '')).toEqual(value);
    }
  });

  it('has every error code with its status', () => {
    const codes = tableRows(document, 'status').flatMap(([status, cell = '']) =>
      codeIn(cell)
        .filter((code) => /^[A-Z_]+$/.test(code))
        .map((code) => [code, Number(status)]),
    );
    expect(Object.fromEntries(codes)).toEqual(apiErrorStatus);
  });

  it('has every state with its status', () => {
    const states = tableRows(document, '`status`').flatMap(([status = '', cell = '']) =>
      codeIn(cell).map((state) => [state, codeIn(status)[0]]),
    );
    expect(Object.fromEntries(states)).toEqual(
      Object.fromEntries(restoreStates.map((state) => [state, runStatus(state)])),
    );
  });
});
