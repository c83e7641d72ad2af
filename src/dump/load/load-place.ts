import type { Programs } from '../tools/client-programs.ts';
import type { ProgramAccess } from '../tools/passfile.ts';
import type { ProgramMessages } from '../tools/program-messages.ts';

/** What every load works with. */
export interface LoadPlace {
  /** Private folder of the load, removed at its end. */
  readonly folder: string;
  readonly programs: Programs;
  readonly access: ProgramAccess;
  readonly messages: ProgramMessages;
  readonly server: ServerFacts;
}

/** What a load has to know of server and database before it begins. */
export interface ServerFacts {
  /** Such as 15. */
  readonly major: number;
  readonly roles: ReadonlySet<string>;
  /** Of the database that is loaded. */
  readonly schemas: ReadonlySet<string>;
}
