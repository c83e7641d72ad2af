import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What happens to bytes: they pass; the connection breaks before or behind them; or they are held back for good. */
export type Verdict = 'pass' | 'cut' | 'pass and cut' | 'hold';

/** A connection through the proxy. */
export interface ProxyConnection {
  /** From 0, in the order in which they were opened. */
  readonly number: number;
  /** Bytes that have passed to the server, and back. */
  readonly sent: number;
  readonly answered: number;
}

/** Decides over bytes on their way; where one of the two is missing, all of them pass. */
export interface Interference {
  /** Bytes for the server. */
  readonly request?: (bytes: Buffer, connection: ProxyConnection) => Verdict;
  /** Bytes for the client; they, and those behind them, wait for a promise. */
  readonly answer?: (bytes: Buffer, connection: ProxyConnection) => Verdict | Promise<Verdict>;
}

/** A TCP proxy that breaks and holds up connections as it is told. */
export interface FaultProxy {
  readonly port: number;
  /** Applies from now on, to connections that are open already as well. */
  interfere(interference: Interference): void;
  close(): Promise<void>;
}

/** Starts a proxy before a server on 127.0.0.1; everything passes until it is told otherwise. */
export async function startFaultProxy(serverPort: number): Promise<FaultProxy> {
  const sockets = new Set<Socket>();
  let current: Interference = {};
  let opened = 0;

  const server = createServer((client) => {
    const upstream = connect(serverPort, '127.0.0.1');
    const connection = { number: opened++, sent: 0, answered: 0 };
    const breakOff = () => {
      for (const socket of [client, upstream]) socket.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        breakOff();
      });
    }
    const pass = (bytes: Buffer, from: Socket, to: Socket, verdict: Verdict) => {
      if (verdict === 'cut') return breakOff();
      if (verdict === 'hold') return;
      const room = to.write(bytes, () => {
        if (verdict === 'pass and cut') breakOff();
      });
      if (room) return;
      from.pause();
      to.once('drain', () => from.resume());
    };
    client.on('data', (bytes: Buffer) => {
      const verdict = current.request?.(bytes, connection) ?? 'pass';
      connection.sent += bytes.length;
      pass(bytes, client, upstream, verdict);
    });
    upstream.on('data', (bytes: Buffer) => {
      const verdict = current.answer?.(bytes, connection) ?? 'pass';
      connection.answered += bytes.length;
      if (typeof verdict === 'string') return pass(bytes, upstream, client, verdict);
      upstream.pause();
      void verdict.then((late) => {
        upstream.resume();
        pass(bytes, upstream, client, late);
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    interfere: (interference) => {
      current = interference;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
