import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { temporal } from '@temporalio/proto';

const { History } = temporal.api.history.v1;

const folder = fileURLToPath(new URL('../replay/', import.meta.url));

/** Whether tests write the histories that they produce. */
export const recordsHistories = process.env.THAW_RECORD_HISTORIES === '1';

/**
 * Writes a history into test/replay, without the stack traces: they name folders of the machine. The SDK's
 * own `historyToJSON` does not work, as the package brings another protobufjs than the one it calls.
 */
export function writeHistory(
  name: string,
  workflowId: string,
  history: temporal.api.history.v1.IHistory,
): void {
  const plain = History.toObject(History.fromObject(history), {
    bytes: String,
    longs: String,
    enums: String,
  });
  const json = JSON.stringify({ workflowId, history: plain }, (key, value) => {
    // Workers and clients that were given no name are called by process and machine.
    if (key === 'identity' && typeof value === 'string' && value.includes('@')) return 'worker';
    return key === 'stackTrace' ? '' : value;
  });
  writeFileSync(`${folder}${name}.json`, `${json}\n`);
}

/** A history of test/replay. The id of the workflow counts: it is a part of its children's. */
export interface RecordedHistory {
  readonly name: string;
  readonly workflowId: string;
  readonly history: temporal.api.history.v1.History;
}

export function readHistories(): RecordedHistory[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => {
      const { workflowId, history } = JSON.parse(readFileSync(folder + file, 'utf8'));
      return { name: file.replace('.json', ''), workflowId, history: History.fromObject(history) };
    });
}
