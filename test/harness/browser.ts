import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'chrome'];

/** Where a Chromium is; undefined where there is none. */
export const chromium = (process.env.PATH ?? '')
  .split(path.delimiter)
  .flatMap((folder) => names.map((name) => path.join(folder, name)))
  .find((file) => existsSync(file));

/** What a browser says by itself: https://chromedevtools.github.io/devtools-protocol */
interface BrowserEvent {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

interface Reply {
  readonly id?: number;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

/** A page of a browser without a window. */
export interface Page {
  readonly events: readonly BrowserEvent[];
  open(url: string): Promise<void>;
  /** The value of an expression in the page. */
  read<T>(expression: string): Promise<T>;
  /** Waits until an expression is true. */
  until(expression: string): Promise<void>;
  close(): Promise<void>;
}

/** Starts a browser with one page. */
export async function openPage(): Promise<Page> {
  const profile = mkdtempSync(path.join(tmpdir(), 'thaw-browser-'));
  const flags = [
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--no-first-run',
    '--remote-debugging-pipe',
  ];
  const child = spawn(chromium ?? '', [...flags, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit');
  const gone = ended.then((): Reply => ({ error: { message: 'the browser has ended' } }));
  const commands = child.stdio[3] as Writable;
  const events: BrowserEvent[] = [];
  const waiting = new Map<number, (reply: Reply) => void>();
  let text = '';
  (child.stdio[4] as Readable).setEncoding('utf8').on('data', (chunk: string) => {
    const messages = (text + chunk).split('\0');
    text = messages.pop() ?? '';
    for (const message of messages) {
      const told = JSON.parse(message) as Reply & BrowserEvent;
      if (told.id === undefined) events.push(told);
      else waiting.get(told.id)?.(told);
    }
  });
  let last = 0;
  const send = async (method: string, params: object, sessionId?: string) => {
    last += 1;
    const id = last;
    const reply = new Promise<Reply>((resolve) => {
      waiting.set(id, resolve);
      commands.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
    const { result, error } = await Promise.race([reply, gone]);
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result ?? {};
  };
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
  const ask = (method: string, params: object = {}) => send(method, params, String(sessionId));
  for (const domain of ['Page', 'Network', 'Runtime', 'Log']) await ask(`${domain}.enable`);
  const read = async <T>(expression: string): Promise<T> => {
    const evaluated = await ask('Runtime.evaluate', { expression, returnByValue: true });
    if (evaluated.exceptionDetails !== undefined) throw new Error(`${expression}: throws`);
    return (evaluated.result as { readonly value: T }).value;
  };
  return {
    events,
    open: async (url) => void (await ask('Page.navigate', { url })),
    read,
    until: async (expression) => {
      for (const began = Date.now(); !(await read(`Boolean(${expression})`)); await sleep(50)) {
        if (Date.now() - began > 30_000) throw new Error(`not so in 30 s: ${expression}`);
      }
    },
    close: async () => {
      child.kill('SIGTERM');
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
