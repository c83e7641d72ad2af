import { describe, expect, test } from 'vitest';
import { bundleDatabase } from '../../src/api/bundle-database.ts';
import { post, read, testApp, testConfig } from './fake-restores.ts';

const [first] = testConfig.databases;
if (first === undefined) throw new Error('a database is configured');
const two = { ...testConfig, databases: [first, { ...first, name: 'shop_db' }] };

describe('the database of a bundle or an extract', () => {
  test('is the one that it names, else that of THAW_BUNDLE_DATABASE, else the only one', () => {
    const env = { THAW_BUNDLE_DATABASE: 'shop_db' };
    expect(bundleDatabase(two, env)('production_db')).toBe('production_db');
    expect(bundleDatabase(two, env)(undefined)).toBe('shop_db');
    expect(bundleDatabase(testConfig, { THAW_BUNDLE_DATABASE: '' })(undefined)).toBe('production_db');
    expect(() => bundleDatabase(two, env)('nowhere')).toThrow(
      /^options.database: must be one of production_db, shop_db/,
    );
  });

  test('must be named where several are configured and no variable says which is meant', async () => {
    const app = testApp({ config: two });
    const message = 'options.database: is required: one of production_db, shop_db';
    for (const path of ['/api/data/restores', '/api/data/extracts']) {
      const answer = await read(await app.request(path, post({ name: 'Mine' })));
      expect(answer).toMatchObject({ status: 400, json: { error_code: 'VALIDATION_ERROR', error: message } });
    }
  });

  test('must be configured: the API does not start otherwise', () => {
    expect(() => bundleDatabase(two, { THAW_BUNDLE_DATABASE: 'nowhere' })).toThrow(
      expect.objectContaining({
        code: 'ConfigInvalid',
        object: 'THAW_BUNDLE_DATABASE',
        message: 'THAW_BUNDLE_DATABASE: "nowhere" is not in the configuration',
        hint: expect.stringContaining('production_db, shop_db'),
      }),
    );
  });
});
