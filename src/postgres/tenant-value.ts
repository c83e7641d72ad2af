/** Types that keep the beginning of a text that is too long for them, and say nothing. */
const cuttingTypes: ReadonlySet<string> = new Set(['name', '"char"']);

/**
 * Whether a tenant's value has to be compared as text with a column: read as the column's type, a longer one would be
 * that of another tenant.
 *
 * @param baseType of the column, its domains taken off, as `format_type` writes it
 */
export function isComparedAsText(baseType: string): boolean {
  return cuttingTypes.has(baseType);
}
