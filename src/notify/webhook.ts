import { createHmac } from 'node:crypto';
import { ThawError } from '../contract/thaw-error.ts';
import { ask, failureWord } from '../http/ask.ts';

/** Where events are told. It is of the operator's own environment, so that it may lie in a private network. */
export interface Webhook {
  readonly url: URL;
  /** What messages are signed with. */
  readonly secret: string;
}

/** Something that happened. */
export interface WebhookEvent {
  /** Such as `drill.failed`. */
  readonly event: string;
  /** The same for every try, by which a receiver knows one that it has. */
  readonly id: string;
  /** Plain JSON, without secrets and rows. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** Milliseconds that one try may take in all. */
const tryTimeout = 15_000;

/**
 * The webhook of an environment: `THAW_WEBHOOK_URL` and `THAW_WEBHOOK_SECRET`; null where none is set.
 *
 * @throws ThawError `ConfigInvalid` for a URL that is none, and for one without a secret
 */
export function webhookOf(env: NodeJS.ProcessEnv): Webhook | null {
  const { THAW_WEBHOOK_URL: text, THAW_WEBHOOK_SECRET: secret } = env;
  if (!text) return null;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new ThawError('ConfigInvalid', 'THAW_WEBHOOK_URL is no http or https URL', {
      object: 'THAW_WEBHOOK_URL',
      hint: 'Write it as https://host/path.',
    });
  }
  if (secret) return { url, secret };
  throw new ThawError('ConfigInvalid', 'THAW_WEBHOOK_SECRET is not set', {
    object: 'THAW_WEBHOOK_SECRET',
    hint: 'Set it to a secret that the receiver knows, too: messages are signed with it.',
  });
}

/**
 * Posts an event as JSON, once. `thaw-signature` is `t={seconds},v1={hex}`: the HMAC-SHA256, by the secret, of the
 * seconds since 1970, a dot and the body as it was sent; the time lets a receiver refuse what somebody sends again.
 * Redirects are not followed, as the body belongs to the host that was named.
 *
 * @throws ThawError `StoreUnavailable` where another try may help, `ConfigInvalid` where the receiver does not want
 *   it; the signal's reason
 */
export async function sendWebhook(
  { url, secret }: Webhook,
  { event, id, body }: WebhookEvent,
  signal: AbortSignal,
): Promise<void> {
  const at = Math.floor(Date.now() / 1000);
  const text = JSON.stringify({ event, id, ...body });
  const timeout = AbortSignal.timeout(tryTimeout);
  try {
    const answer = await ask(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'thaw-event': event,
        'thaw-delivery': id,
        'thaw-signature': `t=${at},v1=${signatureOf(secret, at, text)}`,
      },
      body: text,
      idle: tryTimeout,
      signal: AbortSignal.any([signal, timeout]),
    });
    answer.destroy();
    refuse(url, answer.statusCode ?? 0);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ThawError) throw error;
    throw unavailable(
      url,
      timeout.aborted ? 'does not answer in time' : `cannot be reached: ${failureWord(error)}`,
    );
  }
}

/** The signature of a message, in hex. */
export function signatureOf(secret: string, seconds: number, body: string): string {
  return createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
}

/** @throws ThawError unless the status tells success */
function refuse(url: URL, status: number): void {
  if (status >= 200 && status < 300) return;
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    throw unavailable(url, `answers ${status}`);
  }
  throw new ThawError('ConfigInvalid', `the webhook at ${url.host} answers ${status}`, {
    object: 'THAW_WEBHOOK_URL',
    hint: 'Correct the URL or the secret; messages are not sent again after such an answer.',
  });
}

/** Only the host is told: paths and queries may hold secrets. */
function unavailable({ host }: URL, what: string): ThawError {
  return new ThawError('StoreUnavailable', `the webhook at ${host} ${what}`, {
    object: 'THAW_WEBHOOK_URL',
    hint: 'It is tried again. Check that the workers reach it.',
  });
}
