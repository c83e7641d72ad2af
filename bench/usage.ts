import { writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

/**
 * Loaded into a measured command by `node --import`: at its end it writes what the process used, since a
 * parent is told of a child's use by no means of Node's.
 */
const file = process.env.THAW_BENCH_USAGE;

/** What a measured command used. */
export interface Usage {
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

if (isMainThread && file !== undefined) {
  process.on('exit', () => {
    const used = process.resourceUsage();
    const usage: Usage = {
      cpuSeconds: (used.userCPUTime + used.systemCPUTime) / 1e6,
      peakBytes: used.maxRSS * 1024,
    };
    writeFileSync(file, JSON.stringify(usage));
  });
}
