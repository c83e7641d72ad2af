/** The parts of the API, in the order in which its description shows them, and the paths of each. */
const topics: readonly (readonly [name: string, paths: RegExp])[] = [
  ['Restores', /^\/api\/(data\/)?(restores|uploads)\b/],
  ['Runs', /^\/api\/(data\/)?(runs|restore_runs|restore_logs)\b/],
  ['Snapshots', /^\/api\/(data\/)?snapshot/],
  ['Extracts', /^\/api\/(data\/)?extract/],
  ['Dumps', /^\/api\/(data\/)?(dumps|services|databases|drills)\b/],
  ['Systems', /^\/api\/systems\b/],
  ['Process', /^/],
];

export const topicNames: readonly string[] = topics.map(([name]) => name);

/** Where the description of the API shows a route. */
export function topicOf(route: string): string {
  return topics.find(([, paths]) => paths.test(route))?.[0] ?? '';
}
