/**
 * Bytes that rows take in a table for each byte that they take in a compressed archive: between four and
 * eight for the tables of bench/, and less for what hardly compresses.
 */
const growth = 5;

/** Archives that bring at least this share of what is in the table make dropping its indexes worth while. */
const leastShare = 0.5;

/**
 * Compressed bytes of archives from which on dropping indexes pays: building them again goes over all rows
 * of the table, and spares the upkeep for the rows that are brought only.
 *
 * @param tableBytes what the table takes on disk, without its indexes
 */
export function worthDropping(tableBytes: number): number {
  return (tableBytes * leastShare) / growth;
}
