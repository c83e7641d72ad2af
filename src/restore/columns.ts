/**
 * Lines of cells under each other, for people.
 *
 * @param lines all with as many cells as the first
 * @param numeric columns that are aligned at their ends
 */
export function columns(
  lines: readonly (readonly string[])[],
  numeric: ReadonlySet<number> = new Set(),
): string[] {
  const widths = (lines[0] ?? []).map((_, place) =>
    Math.max(...lines.map((cells) => cells[place]?.length ?? 0)),
  );
  return lines.map((cells) => {
    const padded = cells.map((text, place) => {
      const width = widths[place] ?? 0;
      return numeric.has(place) ? text.padStart(width) : text.padEnd(width);
    });
    return padded.join('  ').trimEnd();
  });
}
