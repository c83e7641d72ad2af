import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, isGrpcServiceError } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';

/** What waiting for a server needs to know. */
export interface AnswerOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Asked between two tries; false ends the wait. */
  stillRuns(): boolean;
}

/** gRPC's status code for something that exists already. */
const alreadyExists = 6;

/** One try. Also how long an abort or the end of the server may go unnoticed. */
const tryMs = 2_000;

/**
 * Waits until the server answers from its database, and gives null; or, when it ends or the time is over, the
 * reason of the last try. Rejects with the signal's reason when that is aborted.
 */
export async function waitForAnswer(address: string, options: AnswerOptions): Promise<Error | null> {
  const deadline = Date.now() + options.timeoutMs;
  let reason = new Error('the process ended');
  while (options.stillRuns()) {
    options.signal?.throwIfAborted();
    const failure = await askServer(address, tryMs);
    if (failure === null) return null;
    reason = failure;
    if (Date.now() > deadline) break;
    await sleep(50);
  }
  options.signal?.throwIfAborted();
  return reason;
}

async function askServer(address: string, timeoutMs: number): Promise<Error | null> {
  try {
    await withConnection(address, timeoutMs, (connection) =>
      connection.workflowService.describeNamespace({ namespace: 'default' }),
    );
    return null;
  } catch (error) {
    return error as Error;
  }
}

/** Makes the namespace when the server has none of that name: `default` it always has. */
export async function ensureNamespace(address: string, namespace: string): Promise<void> {
  if (namespace === 'default') return;
  try {
    await withConnection(address, 10_000, (connection) =>
      connection.workflowService.registerNamespace({
        namespace,
        // What the server gives to `default`.
        workflowExecutionRetentionPeriod: msToTs('24h'),
      }),
    );
  } catch (error) {
    if (!(isGrpcServiceError(error) && error.code === alreadyExists)) throw error;
  }
}

async function withConnection<T>(
  address: string,
  timeoutMs: number,
  call: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await Connection.connect({
    address,
    // Whatever the environment says is meant for another cluster.
    tls: false,
    connectTimeout: timeoutMs,
    // gRPC would wait a second before it dials a server again that was not listening yet.
    channelArgs: { 'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 500 },
  });
  try {
    return await connection.withDeadline(Date.now() + timeoutMs, () => call(connection));
  } finally {
    await connection.close();
  }
}
