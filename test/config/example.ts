import { parseConfig } from '../../src/config/load-config.ts';
import type { ThawConfig } from '../../src/config/thaw-config.ts';

/** The archiver's own example, with the sections that a restore does not read. */
export const archiverConfig = `
version: "1.0"
s3:
  endpoint: \${S3_ENDPOINT:-}
  bucket: archives-bucket
  prefix: archives/
  region: eu-central-1
  storage_class: STANDARD_IA
  encryption: SSE-S3
defaults:
  retention_days: 90
  batch_size: 10000
  compression_level: 6
databases:
  - name: production_db
    host: db.example.com
    user: archiver
    password_env: DB_PASSWORD
    read_replica: replica.example.com
    tables:
      - name: audit_logs
        schema: public
        timestamp_column: created_at
        primary_key: id
        critical: true
      - name: events
        schema: app
        timestamp_column: at
        primary_key: event_id
  - name: shop_db
    host: \${SHOP_HOST:-shop.example.com}
    port: \${SHOP_PORT:-6432}
    user: shop
    password: \${SHOP_PASSWORD}
    sslmode: verify-full
    sslrootcert: ca.pem
    tables:
      - name: orders
        timestamp_column: placed
        primary_key: id
performance:
  anything: goes
notifications:
  slack:
    webhook_url: \${SLACK_WEBHOOK_URL}
`;

/** A small file: what is given replaces or follows these lines. */
export function configText(parts: { s3?: string; database?: string; rest?: string } = {}): string {
  return `
version: "1.0"
s3: ${parts.s3 ?? '{ bucket: b }'}
databases:
  - ${parts.database ?? '{ name: d, host: h, user: u, password_env: PW }'}
${parts.rest ?? ''}
`;
}

/** What a text says, as if it lay in /etc/thaw/config.yaml. */
export function parsed(text: string, env: NodeJS.ProcessEnv = {}): ThawConfig {
  return parseConfig(text, '/etc/thaw/config.yaml', env);
}
