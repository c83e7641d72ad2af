import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/** What of a `.cpuprofile` is read here. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
  }[];
  readonly samples: readonly number[];
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[];
}

/** Names of what is no work. */
const idle = new Set(['(idle)', '(root)']);
const longestTable = 30;

/**
 * The functions with the most self time over all CPU profiles of a folder, as a Markdown table. Times are of
 * one run, all its JavaScript threads together; what a busy machine made a thread wait is in them.
 */
export async function profileTable(folder: string): Promise<string> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.cpuprofile'));
  // CPU.{date}.{time}.{pid}.{thread}.{number}.cpuprofile
  const runs = new Set(files.map((name) => name.split('.')[3])).size;
  const times = new Map<string, number>();
  for (const file of files) addProfile(JSON.parse(await readFile(path.join(folder, file), 'utf8')), times);
  const total = [...times.values()].reduce((sum, time) => sum + time, 0);
  const seconds = (time: number) => (time / 1e6 / runs).toFixed(2);
  const top = [...times].toSorted(([, a], [, b]) => b - a).slice(0, longestTable);
  const lines = top.map(
    ([name, time]) => `| ${name} | ${seconds(time)} s | ${((time / total) * 100).toFixed(1)} % |`,
  );
  return [`| function (${seconds(total)} s in all) | self time | share |`, '|---|---:|---:|', ...lines].join(
    '\n',
  );
}

function addProfile(profile: CpuProfile, times: Map<string, number>): void {
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  for (const [index, id] of profile.samples.entries()) {
    const name = names.get(id) ?? '(unknown)';
    if (idle.has(name)) continue;
    times.set(name, (times.get(name) ?? 0) + (profile.timeDeltas[index] ?? 0));
  }
}

function nameOf({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url === '') return name;
  return `${name} ${url.replace(/^.*\/(node_modules|dist)\//, '')}:${lineNumber + 1}`;
}
