import { createServer } from 'node:net';
import path from 'node:path';
import { readJson, writeJson } from './state-file.ts';

/** A free port of 127.0.0.1: the preferred one, or any when that is taken or 0. */
export async function freePort(preferred = 0): Promise<number> {
  const bound = await bindOnce(preferred);
  return bound ?? freePort();
}

/** Remembers in the state folder which port each service had, so that it has the same after a restart. */
export class PortBook {
  readonly #file: string;
  readonly #ports: Record<string, number>;

  constructor(folder: string) {
    this.#file = path.join(folder, 'ports.json');
    this.#ports = readJson<Record<string, number>>(this.#file) ?? {};
  }

  /**
   * Starts a service on a free port; on another one when somebody takes the port between the look and
   * the service's own bind.
   */
  async start<T>(service: string, preferred: number, start: (port: number) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const port = await this.take(service, preferred);
      try {
        return await start(port);
      } catch (error) {
        if (attempt === 3 || (await freePort(port)) === port) throw error;
      }
    }
  }

  /** A free port for a service: the one it had, else `preferred`, else any. Never one handed out to another. */
  async take(service: string, preferred = 0): Promise<number> {
    let port = await freePort(this.#ports[service] ?? preferred);
    while (this.#ownerOf(port) !== undefined && this.#ownerOf(port) !== service) port = await freePort();
    this.#ports[service] = port;
    writeJson(this.#file, this.#ports, 0o600);
    return port;
  }

  #ownerOf(port: number): string | undefined {
    return Object.keys(this.#ports).find((service) => this.#ports[service] === port);
  }
}

/** Binds the port for a moment; gives its number, or null when it is taken. */
function bindOnce(port: number): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (port !== 0 && (error.code === 'EADDRINUSE' || error.code === 'EACCES')) resolve(null);
      else reject(error);
    });
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      const address = server.address();
      const bound = typeof address === 'object' && address !== null ? address.port : null;
      server.close(() => resolve(bound));
    });
  });
}
