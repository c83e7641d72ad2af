import { randomBytes } from 'node:crypto';
import type { WorkflowBundleOption } from '@temporalio/worker';
import { inject } from 'vitest';

/** Where the Temporal server of the run is, and a task queue that nobody else uses. */
export interface TestTemporal {
  /** `127.0.0.1:port` */
  readonly address: string;
  readonly namespace: string;
  readonly taskQueue: string;
}

/** The code of the workflows for workers in tests, bundled once for the whole run. */
export function testBundle(): WorkflowBundleOption {
  return { codePath: inject('stack').workflowBundle };
}

/** @param name begins the name of the task queue; @default 'test' */
export function testTemporal(name = 'test'): TestTemporal {
  const taskQueue = `${name}-${randomBytes(4).toString('hex')}`;
  return { address: inject('stack').temporalAddress, namespace: 'default', taskQueue };
}
