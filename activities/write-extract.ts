import { createHash } from 'node:crypto';
import { Context } from '@temporalio/activity';
import { storedKey } from '../src/bundle/stored-key.ts';
import { writeBundle } from '../src/bundle/write-bundle.ts';
import type { Activities } from '../src/contract/activities.ts';
import { LoadProgress } from '../src/load/load-progress.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { databaseError } from '../src/postgres/sqlstate.ts';
import { withHeartbeats } from './heartbeat.ts';

const noticesShown = 50;

/** Writes tables as a bundle, streamed into the store under the run's id: an attempt replaces what one before it left. */
export function writeExtract(thaw: ThawContext): Activities['writeExtract'] {
  return async (request) => {
    const { cancellationSignal: signal, info } = Context.current();
    const { runId, namespace } = request;
    const progress = new LoadProgress();
    const key = storedKey(thaw.config.store.prefix, 'extracts', runId);
    return withHeartbeats(
      () => progress.snapshot(),
      () =>
        thaw.withConnection(request, `thaw/${runId}/extract/${info.attempt}`, signal, async (client) => {
          const { bytes, result } = writeBundle(client, {
            ...request,
            onRecords: (model, records) => {
              progress.enter('copy', model);
              progress.move(0, records);
            },
          });
          const digest = createHash('sha256');
          const size = { bytes: 0 };
          try {
            await thaw.store.writeStream(key, hashed(bytes, digest, size), 'application/zip');
            const { notices, ...written } = await result;
            const sha256 = digest.digest('hex');
            return { key, bytes: size.bytes, sha256, ...written, notices: notices.slice(0, noticesShown) };
          } catch (error) {
            throw databaseError(error, { object: namespace });
          }
        }),
    );
  };
}

async function* hashed(
  chunks: AsyncIterable<Uint8Array>,
  digest: ReturnType<typeof createHash>,
  size: { bytes: number },
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    digest.update(chunk);
    size.bytes += chunk.length;
    yield chunk;
  }
}
