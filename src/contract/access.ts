/** What a token allows, each level what those before it do: look, start and change, delete and replace, see all tenants. */
export const accessLevels = ['read', 'edit', 'full', 'root'] as const;
export type Access = (typeof accessLevels)[number];

/** Whether an access level allows what another one is needed for. */
export function allows(given: Access, needed: Access): boolean {
  return accessLevels.indexOf(given) >= accessLevels.indexOf(needed);
}
