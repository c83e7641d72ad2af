import { describeProcess } from '../../src/stack/process-identity.ts';

/** Tells whether some process has this pid; one that has ended but was not reaped yet does not count. */
export function isAlive(pid: number): boolean {
  return describeProcess(pid) !== null;
}
