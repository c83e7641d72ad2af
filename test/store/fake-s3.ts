import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { S3StoreConfig } from '../../src/config/thaw-config.ts';
import { S3Store } from '../../src/store/s3-store.ts';

/** A store before a server that answers as a test wants; both end with the test. */
export async function storeBefore(
  answer: RequestListener,
  changes: Partial<S3StoreConfig> = {},
): Promise<S3Store> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const store = new S3Store(
    {
      kind: 's3',
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      bucket: 'bucket',
      prefix: '',
      region: 'us-east-1',
      pathStyle: true,
      encryption: null,
      credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
      ...changes,
    },
    {},
  );
  onTestFinished(() => {
    store.close();
    server.closeAllConnections();
    server.close();
  });
  return store;
}
