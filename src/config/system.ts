import { z } from 'zod';
import { parseSeconds } from './duration.ts';

/** Seconds that an old database is kept at the least: a swap that is undone needs it. */
const shortestKeep = 3600;

function must(message: string) {
  return { error: (issue: { input?: unknown }) => (issue.input === undefined ? 'is required' : message) };
}

const text = z.string(must('must be text')).min(1, 'must not be empty');
/** The file is Thaw's own, so that a key that is not known is a mistake. */
const mapping = {
  error: (issue: { code?: string; input?: unknown; keys?: readonly string[] }) => {
    if (issue.code === 'unrecognized_keys') return `has no setting ${(issue.keys ?? []).join(', ')}`;
    return issue.input === undefined ? 'is required' : 'must be a mapping of settings';
  },
};

const time = text
  .refine((value) => parseSeconds(value) !== null, 'must be a time such as 90s, 30m, 24h or 7d')
  .transform((value) => parseSeconds(value) ?? 0);

const url = text.refine(
  (value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol),
  'must be an http:// or https:// URL',
);

const words = z
  .array(z.string(must('must be text')), must('must be a list of words'))
  .min(1, 'must name a program');

const hookFields = z.strictObject(
  {
    name: text.optional().describe('What reports call it; absent: the program or host.'),
    run: z
      .union([text, words], { error: 'must be a command: text for the shell, or a list of words' })
      .optional()
      .describe('Command: text is given to shell, a list of words is run as it is.'),
    url: url.optional().describe('URL that is called in place of a command; 2xx is success.'),
    method: z
      .enum(['GET', 'POST'], must('must be GET or POST'))
      .default('POST')
      .describe('Method of that call.'),
    timeout: time.prefault('5m').describe('How long it may take; absent: 5m.'),
  },
  mapping,
);

/** A command or HTTP hook; text and lists are commands. */
const hook = z.preprocess(
  (value) => (typeof value === 'string' || Array.isArray(value) ? { run: value } : value),
  hookFields.superRefine(({ run, url: called }, context) => {
    if ((run === undefined) === (called === undefined)) {
      context.addIssue({
        code: 'custom',
        path: ['run'],
        message: 'or url must be set, and only one of them',
      });
    }
  }),
);

const hooks = z.array(hook, must('must be a list of commands and hooks')).default([]);

const health = z.preprocess(
  (value) => (typeof value === 'string' ? { url: value } : value),
  z.strictObject(
    {
      url: url.describe('URL that answers with success when the service is well.'),
      name: text.optional().describe('What reports call it; absent: its host.'),
      timeout: time.prefault('2m').describe('How long it is asked again; absent: 2m.'),
    },
    mapping,
  ),
);

const pattern = text.refine(isPattern, 'must be a regular expression');

const dump = z
  .strictObject(
    {
      service: text.describe('Service whose database it is, as config.yaml or the environment has it.'),
      dump: text.default('latest').describe('latest, or the key of a dump.'),
      before: text
        .refine((value) => !Number.isNaN(Date.parse(value)), 'must be a time such as 2026-01-04T05:20:21Z')
        .transform((value) => new Date(value).toISOString())
        .optional()
        .describe('The newest dump that is not later than this time.'),
      after: z
        .array(text, must('must be a list of services'))
        .default([])
        .describe('Services whose databases are verified before this one is loaded.'),
      rto: time.optional().describe('Recovery time objective.'),
      rpo: time
        .optional()
        .describe('Recovery point objective: an older dump is told before anything starts.'),
      checks: z
        .array(text, must('must be a list of statements'))
        .default([])
        .describe('Statements that must give true after the load.'),
      check_urls: z
        .array(url, must('must be a list of URLs'))
        .default([])
        .describe('URLs that must answer with success after the load, before the swap.'),
    },
    mapping,
  )
  .refine(({ dump: which, before }) => which === 'latest' || before === undefined, {
    path: ['before'],
    message: 'cannot be set where a dump is named',
  });

const webhook = z.strictObject(
  {
    url: url.describe('URL that events are posted to.'),
    secret_env: text.describe('Environment variable of the worker that holds what messages are signed with.'),
  },
  mapping,
);

const system = z
  .strictObject(
    {
      name: text.describe('System: what commands and requests name.'),
      databases: z
        .array(dump, must('must be a list of databases'))
        .min(1, 'must name at least one database')
        .describe('Its databases.'),
      checklist: z
        .array(text, must('must be a list of lines'))
        .default([])
        .describe('What has to be confirmed before anything starts.'),
      contacts: z
        .array(text, must('must be a list of lines'))
        .default([])
        .describe('Whom to call, told with every failure.'),
      stop: hooks.describe('What stops the services, in this order.'),
      start: hooks.describe('What starts them again, in this order.'),
      health: z
        .array(health, must('must be a list of URLs'))
        .default([])
        .describe('What says that the services are well.'),
      log_commands: hooks.describe('Commands that print logs of services once they are started.'),
      log_errors: z
        .array(pattern, must('must be a list of regular expressions'))
        .default([])
        .describe('Lines of these logs that match fail the verification.'),
      notify: z
        .array(webhook, must('must be a list of webhooks'))
        .default([])
        .describe('Who is told when it is planned, started, failed and done; signed.'),
      shell: words
        .prefault(['/bin/sh', '-c'])
        .describe('What runs commands that are text, as its last word; absent: /bin/sh -c.'),
      wait_for_operator: time
        .optional()
        .describe('How long a failed step waits for `thaw decide`; absent: not at all.'),
      keep_old: time
        .prefault('24h')
        .refine((seconds) => seconds >= shortestKeep, 'must be at least 1h')
        .describe('How long old databases are kept after the swap, at least 1h; absent: 24h.'),
    },
    mapping,
  )
  .superRefine((value, context) => {
    const services = value.databases.map(({ service }) => service);
    for (const [index, { service, after }] of value.databases.entries()) {
      const path = ['databases', index];
      if (services.indexOf(service) !== index) {
        context.addIssue({ code: 'custom', path: [...path, 'service'], message: 'is there twice' });
      }
      for (const [place, name] of after.entries()) {
        if (services.includes(name)) continue;
        const message = 'is no service of this system';
        context.addIssue({ code: 'custom', path: [...path, 'after', place], message });
      }
    }
    const circle = circleOf(value.databases);
    if (circle !== null) {
      const message = `lead in a circle: ${circle.join(' after ')}`;
      context.addIssue({ code: 'custom', path: ['databases'], message });
    }
    for (const [index, { run }] of value.log_commands.entries()) {
      if (run !== undefined) continue;
      const message = 'must be a command: a log is what it prints';
      context.addIssue({ code: 'custom', path: ['log_commands', index, 'run'], message });
    }
    if (value.log_commands.length === 0 && value.log_errors.length > 0) {
      context.addIssue({ code: 'custom', path: ['log_commands'], message: 'is required by log_errors' });
    }
    if (value.log_commands.length > 0 && value.log_errors.length === 0) {
      context.addIssue({ code: 'custom', path: ['log_errors'], message: 'is required by log_commands' });
    }
  });

/**
 * `system.yaml`: systems of databases that are restored together. The one definition behind parsing, validation,
 * defaults and help. A file of one system may have its settings at the top.
 */
export const systemFile = z.preprocess(
  (value) => (isMapping(value) && !('systems' in value) ? { systems: [value] } : value),
  z
    .strictObject(
      {
        systems: z
          .array(system, must('must be a list of systems'))
          .min(1, 'must name at least one system')
          .describe('The systems.'),
      },
      mapping,
    )
    .superRefine(({ systems }, context) => {
      const names = systems.map(({ name }) => name);
      for (const [index, name] of names.entries()) {
        if (names.indexOf(name) === index) continue;
        context.addIssue({ code: 'custom', path: ['systems', index, 'name'], message: 'is there twice' });
      }
    }),
);

/** A system after validation, in the names of the file; times are in seconds. */
export type SystemConfig = z.output<typeof system>;
/** A command or HTTP hook of a system. */
export type HookConfig = SystemConfig['stop'][number];

function isMapping(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPattern(source: string): boolean {
  try {
    return new RegExp(source) !== null;
  } catch {
    return false;
  }
}

/** Services that wait for each other, the first one at both ends; null: there are none. */
function circleOf(
  databases: readonly { readonly service: string; readonly after: readonly string[] }[],
): string[] | null {
  const after = new Map(databases.map((database) => [database.service, database.after]));
  const walk = (service: string, way: readonly string[]): string[] | null => {
    const began = way.indexOf(service);
    if (began >= 0) return [...way.slice(began), service];
    for (const next of after.get(service) ?? []) {
      const found = walk(next, [...way, service]);
      if (found !== null) return found;
    }
    return null;
  };
  for (const { service } of databases) {
    const found = walk(service, []);
    if (found !== null) return found;
  }
  return null;
}
