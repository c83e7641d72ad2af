import type { DumpPart, DumpSection } from '../../contract/dump-request.ts';

/** Whether a part of a dump takes anything of a section; rows are `data`. */
export function hasSection({ sections, dataOnly, schemaOnly }: DumpPart, section: DumpSection): boolean {
  if (dataOnly && section !== 'data') return false;
  if (schemaOnly && section === 'data') return false;
  return sections.length === 0 || sections.includes(section);
}
