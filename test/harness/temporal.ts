import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';

/** Where the Temporal server of the run is, and a task queue that nobody else uses. */
export interface TestTemporal {
  /** `127.0.0.1:port` */
  readonly address: string;
  readonly namespace: string;
  readonly taskQueue: string;
}

/** @param name begins the name of the task queue; @default 'test' */
export function testTemporal(name = 'test'): TestTemporal {
  const taskQueue = `${name}-${randomBytes(4).toString('hex')}`;
  return { address: inject('stack').temporalAddress, namespace: 'default', taskQueue };
}
