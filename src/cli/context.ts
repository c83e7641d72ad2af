import type { Printer } from './printer.ts';

/** What every command works with. */
export interface CommandContext {
  readonly env: NodeJS.ProcessEnv;
  readonly printer: Printer;
  /** Says how the process is to end; 0 where no command says anything. */
  end(exitCode: number): void;
}
