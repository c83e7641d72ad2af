/**
 * How much of an archive is looked at; each level holds what those before it do.
 *
 * - `listed`: the objects are there, and each has its partner
 * - `metadata`: metadata can be read, says what is needed, and knows the size of its object
 * - `checksums`: every archive is read to its end; SHA-256 of both streams and the record count agree
 * - `rows`: every line is a record, and the keys are those of the deletion manifest
 * - `types`: PostgreSQL takes every value as the type of its column, in a transaction that is rolled back
 */
export const validationLevels = ['listed', 'metadata', 'checksums', 'rows', 'types'] as const;
export type ValidationLevel = (typeof validationLevels)[number];

/** Tells whether a level holds what another does. */
export function reaches(level: ValidationLevel, other: ValidationLevel): boolean {
  return validationLevels.indexOf(level) >= validationLevels.indexOf(other);
}
