import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ActivityInboundCallsInterceptor,
  NativeConnection,
  type NativeConnectionOptions,
  Worker,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import type { Logger } from 'pino';
import { createActivities } from '../activities/create-activities.ts';
import { failureInterceptor } from '../activities/failure-interceptor.ts';
import { WorkerControl } from '../activities/worker-control.ts';
import { OpenedBundles } from './bundle/opened-bundles.ts';
import type { ThawConfig } from './config/thaw-config.ts';
import { ThawContext } from './load/thaw-context.ts';
import { registerSearchAttributes } from './search-attributes.ts';
import { openStore } from './store/open-store.ts';
import { installRuntime } from './worker-runtime.ts';
import { workflowBundle } from './workflow-bundle.ts';

/** What a worker needs. */
export interface WorkerOptions {
  readonly config: ThawConfig;
  readonly env: NodeJS.ProcessEnv;
  /** Address, TLS, API key. */
  readonly connection: NativeConnectionOptions;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly logger: Logger;
  /** The code of the workflows. @default what `workflowBundle` gives */
  readonly bundle?: WorkflowBundleOption;
  /** Called once it polls for work. */
  readonly onReady?: () => void;
  /** Further interceptors of activities, around all that Thaw has itself. */
  readonly interceptors?: readonly ActivityInboundCallsInterceptor[];
  /** Stops the worker: loads get {@link shutdownGrace} to finish, then roll back and are done again elsewhere. */
  readonly signal?: AbortSignal;
}

/** What a load may still take when its worker is told to stop. */
const shutdownGrace = '20s';
/** A load that ends neither by then is left to roll back by itself. */
const shutdownForce = '30s';

/** A worker streams at most so many loads at once; each has a connection and about 3 MB of buffers. */
const loadsAtOnce = 32;

/** Runs a worker until it is told to stop. */
export async function runWorker(options: WorkerOptions): Promise<void> {
  installRuntime(options.logger);
  const store = openStore(options.config.store, options.env);
  const control = new WorkerControl(options.env);
  const connection = await NativeConnection.connect(withoutCompression(options.connection));
  try {
    const worker = await createWorker(
      options,
      connection,
      new ThawContext(options.config, store, options.env),
      control,
    );
    const stop = () => shutDown(worker);
    options.signal?.addEventListener('abort', stop, { once: true });
    try {
      const running = worker.run();
      void whenPolling(worker).then(options.onReady);
      if (options.signal?.aborted) stop();
      await running;
    } finally {
      options.signal?.removeEventListener('abort', stop);
    }
  } finally {
    await connection.close();
    await control.close();
    store.close();
  }
}

async function createWorker(
  { namespace, taskQueue, logger, bundle, interceptors = [] }: WorkerOptions,
  connection: NativeConnection,
  thaw: ThawContext,
  control: WorkerControl,
): Promise<Worker> {
  const searchAttributes = await registerSearchAttributes(connection, namespace, logger);
  return Worker.create({
    connection,
    namespace,
    taskQueue,
    workflowBundle: bundle ?? (await workflowBundle()),
    activities: { ...createActivities(thaw, control, searchAttributes, new OpenedBundles(thaw.store)) },
    interceptors: {
      activity: [...interceptors, failureInterceptor].map((inbound) => () => ({ inbound })),
    },
    maxConcurrentActivityTaskExecutions: loadsAtOnce,
    // The default, 600 for each GB of heap, has run workers out of memory (sdk-typescript#2227).
    maxCachedWorkflows: 200,
    // The answer to a heartbeat is how a load learns that it was cancelled.
    maxHeartbeatThrottleInterval: '2s',
    defaultHeartbeatThrottleInterval: '2s',
    shutdownGraceTime: shutdownGrace,
    shutdownForceTime: shutdownForce,
  });
}

/** Work on the same machine is not worth compressing: the SDK does it by default since 1.19. */
function withoutCompression(connection: NativeConnectionOptions): NativeConnectionOptions {
  const isLocal = /^(127\.|localhost|\[::1\])/.test(connection.address ?? '');
  return isLocal ? { ...connection, grpcCompression: { codec: 'none' } } : connection;
}

/** Resolves once the worker asks for work. */
async function whenPolling(worker: Worker): Promise<void> {
  while (worker.getState() === 'RUNNING' && !worker.getStatus().hasOutstandingWorkflowPoll) await sleep(5);
}

function shutDown(worker: Worker): void {
  if (worker.getState() === 'RUNNING') worker.shutdown();
}
