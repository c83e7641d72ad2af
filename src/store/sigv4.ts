import { createHash, createHmac } from 'node:crypto';

/** Keys that sign, as a credential provider of the AWS SDK gives them. */
export interface SigningKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

/** SHA-256 of nothing: the payload of a GET. */
const emptyPayload = createHash('sha256').digest('hex');

/**
 * Signs GET requests for objects by AWS Signature Version 4
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
 * The signing key, four HMACs, is derived once a day and key.
 */
export class GetSigner {
  readonly #region: string;
  #keyOf = '';
  #key: Buffer = Buffer.alloc(0);

  constructor(region: string) {
    this.#region = region;
  }

  /**
   * The headers of a signed GET.
   *
   * @param path percent-encoded as it is sent, without query
   * @param extra more headers to sign, names in lower case, such as those of SSE-C
   */
  headers(
    host: string,
    path: string,
    keys: SigningKeys,
    now: Date,
    extra: Readonly<Record<string, string>> = {},
  ): Record<string, string> {
    const time = now.toISOString().replace(/[-:]|\.\d{3}/g, '');
    const day = time.slice(0, 8);
    const headers: Record<string, string> = {
      host,
      'x-amz-content-sha256': emptyPayload,
      'x-amz-date': time,
      ...(keys.sessionToken ? { 'x-amz-security-token': keys.sessionToken } : {}),
      ...extra,
    };
    const names = Object.keys(headers).sort();
    const signed = names.join(';');
    const lines = names.map((name) => `${name}:${headers[name]}\n`).join('');
    const canonical = `GET\n${path}\n\n${lines}\n${signed}\n${emptyPayload}`;
    const scope = `${day}/${this.#region}/s3/aws4_request`;
    const digest = createHash('sha256').update(canonical).digest('hex');
    const signature = createHmac('sha256', this.#signingKey(day, keys))
      .update(`AWS4-HMAC-SHA256\n${time}\n${scope}\n${digest}`)
      .digest('hex');
    headers.authorization = `AWS4-HMAC-SHA256 Credential=${keys.accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`;
    return headers;
  }

  #signingKey(day: string, keys: SigningKeys): Buffer {
    const keyOf = `${day}/${keys.accessKeyId}/${keys.secretAccessKey}`;
    if (this.#keyOf !== keyOf) {
      const steps = [day, this.#region, 's3', 'aws4_request'];
      this.#key = steps.reduce<Buffer>(
        (key, step) => createHmac('sha256', key).update(step).digest(),
        Buffer.from(`AWS4${keys.secretAccessKey}`),
      );
      this.#keyOf = keyOf;
    }
    return this.#key;
  }
}
