import { type Command, InvalidArgumentError, Option } from 'commander';
import type { z } from 'zod';
import { authSettings } from '../auth/auth-settings.ts';
import { namespaceClaim, tenantClaim } from '../auth/claims.ts';
import { signToken } from '../auth/sign-token.ts';
import { parseSeconds } from '../config/duration.ts';
import { type Access, accessLevels } from '../contract/access.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { CommandContext } from './context.ts';
import { word } from './flags.ts';
import { whoAsks } from './who-asks.ts';

interface TokenFlags {
  readonly tenant: string;
  readonly access: Access;
  readonly ns: string;
  readonly subject?: string;
  /** Seconds. */
  readonly expires: number;
}

/** `thaw token`: a token for the HTTP API. */
export function addTokenCommand(program: Command, context: CommandContext): void {
  program
    .command('token')
    .summary('make a bearer token for the HTTP API')
    .description(
      'Prints a token signed with THAW_JWT_SECRET (HS256), the secret that `thaw api` checks it with.',
    )
    .option('--tenant <name>', 'whose restores, runs and logs it is for', claim(tenantClaim), 'default')
    .addOption(
      new Option(
        '--access <level>',
        'read: look; edit: start, change, pause, cancel; full: delete and replace; root: all tenants',
      )
        .argParser(word(accessLevels))
        .default('edit'),
    )
    .option('--ns <schema>', 'the schema that bundles go into', claim(namespaceClaim), 'public')
    .option('--subject <name>', 'who it is for, for the log (default: your user name)')
    .option('--expires <time>', 'until when it is valid: 90s, 30m, 12h, 30d', lifetime, lifetime('24h'))
    .addHelpText('after', examples)
    .action((flags: TokenFlags) => print(flags, context));
}

const examples = `
Examples:
  thaw token --access root                          for yourself, for a day
  thaw token --tenant acme --ns acme --expires 30d  for a tenant with a schema of its own
  curl -H "Authorization: Bearer $(thaw token --access read)" $THAW_API_URL/api/data/restore_runs`;

async function print(flags: TokenFlags, { env, printer }: CommandContext): Promise<void> {
  const settings = authSettings(env);
  if (settings.secret === null) {
    throw new ThawError('ConfigInvalid', 'THAW_JWT_SECRET: is not set', {
      object: 'THAW_JWT_SECRET',
      hint: 'Tokens that are checked with THAW_JWKS come from the service that publishes it.',
    });
  }
  const { tenant, access, ns, subject = whoAsks(env), expires } = flags;
  const token = { subject, tenant, access, namespace: ns, lifetime: expires };
  printer.line(await signToken(settings.secret, token, settings));
}

function claim(schema: z.ZodType<string>): (value: string) => string {
  return (value) => {
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    throw new InvalidArgumentError(`It ${result.error.issues[0]?.message ?? 'is not valid'}.`);
  };
}

function lifetime(value: string): number {
  const seconds = parseSeconds(value);
  if (seconds !== null) return seconds;
  throw new InvalidArgumentError('It must be a number with s, m, h or d, such as 12h.');
}
