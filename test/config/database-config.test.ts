import { expect, test } from 'vitest';
import { databasePassword, findDatabase } from '../../src/config/database-config.ts';
import { archiverConfig, parsed } from './example.ts';

const config = parsed(archiverConfig);

test('finds a database by name, or says which there are', () => {
  expect(findDatabase(config, 'shop_db').host).toBe('shop.example.com');
  expect(() => findDatabase(config, 'other')).toThrow(
    expect.objectContaining({
      code: 'InputInvalid',
      message: 'database "other" is not in the configuration',
      hint: 'Name one of production_db, shop_db, or add it to /etc/thaw/config.yaml.',
    }),
  );
});

test('finds a password only when it is asked for', () => {
  const env = { DB_PASSWORD: 'p', SHOP_PASSWORD: 's' };
  expect(databasePassword(findDatabase(config, 'production_db'), env)).toBe('p');
  expect(databasePassword(findDatabase(config, 'shop_db'), env)).toBe('s');
});

test('names the variable of a password that is not set', () => {
  const message = (name: string) => () => databasePassword(findDatabase(config, name), { DB_PASSWORD: '' });
  expect(message('production_db')).toThrow(
    'databases[production_db].password_env: environment variable DB_PASSWORD is not set',
  );
  expect(message('shop_db')).toThrow(
    'databases[shop_db].password: environment variable SHOP_PASSWORD is not set',
  );
});
