import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP proxy that breaks connections. */
export interface CuttingProxy {
  /** `http://127.0.0.1:port` */
  readonly endpoint: string;
  /** How many connections were opened. */
  readonly connections: number;
  /** Breaks all connections that there are. */
  drop(): void;
  close(): Promise<void>;
}

/** When a connection breaks, and what happens then. */
export interface Cut {
  /** After so many bytes of the answers. */
  readonly after: number;
  /** Closes the connection in order, as a store does that is tired of waiting, instead of by a reset. */
  readonly gently?: boolean;
  readonly before?: () => Promise<void>;
}

/**
 * Starts a proxy before a server.
 *
 * @param cuts what happens to the first connection, the second, and so on; later ones are left alone
 */
export async function startCuttingProxy(target: string, cuts: readonly Cut[]): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((client) => {
    const cut = cuts[connections];
    connections += 1;
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream);
    let passed = 0;
    upstream.on('data', (chunk) => {
      const left = cut === undefined ? chunk.length : cut.after - passed;
      passed += chunk.length;
      client.write(chunk.subarray(0, Math.max(left, 0)));
      if (cut === undefined || chunk.length < left) return;
      upstream.removeAllListeners('data');
      void (cut.before?.() ?? Promise.resolve()).then(() => {
        if (cut.gently) client.end();
        else client.resetAndDestroy();
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const drop = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get connections() {
      return connections;
    },
    drop,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        drop();
      }),
  };
}
