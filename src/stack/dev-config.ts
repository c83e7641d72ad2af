/** The databases that `thaw dev` makes, as the demonstration archives name them. */
export const devDatabases = ['production_db', 'shop_db'] as const;

/** Prefix of the archives in the bucket. */
export const devPrefix = 'archives';

/**
 * The archiver's configuration for the databases and the bucket of `thaw dev`. Addresses and secrets are
 * variables of `.thaw/env`, so the file is written once and may be edited.
 */
export const devConfig = `# Made by thaw dev, which does not touch it again. The variables stand in the file env beside it.
version: "1.0"

s3:
  endpoint: \${AWS_ENDPOINT_URL_S3}
  bucket: \${THAW_BUCKET}
  prefix: ${devPrefix}
  region: \${AWS_REGION}
  access_key_id: \${AWS_ACCESS_KEY_ID}
  secret_access_key: \${AWS_SECRET_ACCESS_KEY}

databases:
  - name: production_db
    host: 127.0.0.1
    port: \${THAW_DATABASE_PORT}
    user: postgres
    password_env: THAW_DATABASE_PASSWORD
    tables:
      - name: audit_logs
        timestamp_column: created_at
        primary_key: id
  - name: shop_db
    host: 127.0.0.1
    port: \${THAW_DATABASE_PORT}
    user: postgres
    password_env: THAW_DATABASE_PASSWORD
    tables:
      - name: orders
        timestamp_column: created_at
        primary_key: order_id
      - name: line_items
        timestamp_column: created_at
        primary_key: order_id
      - name: tickets
        timestamp_column: created_at
        primary_key: id

restore_watermark:
  enabled: true
  storage_type: s3
`;
