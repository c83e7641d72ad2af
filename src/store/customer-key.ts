import { createHash } from 'node:crypto';
import type { S3StoreConfig } from '../config/thaw-config.ts';

/**
 * The headers by which a request brings its own key (SSE-C), names in lower case; none where there is no key
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html).
 */
export function customerKeyHeaders({ encryption }: S3StoreConfig): Readonly<Record<string, string>> {
  if (encryption === null || typeof encryption === 'string') return {};
  const { customerKey } = encryption;
  const name = 'x-amz-server-side-encryption-customer';
  return {
    [`${name}-algorithm`]: 'AES256',
    [`${name}-key`]: customerKey,
    [`${name}-key-md5`]: createHash('md5').update(Buffer.from(customerKey, 'base64')).digest('base64'),
  };
}
