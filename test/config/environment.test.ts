import { expect, test } from 'vitest';
import { configPath, resolveSetting, stateDir } from '../../src/config/environment.ts';

const sources = {
  flag: { name: '--queue', value: 'flagged' },
  variable: { name: 'THAW_TASK_QUEUE', env: { THAW_TASK_QUEUE: 'environmental' } },
  configured: 'configured',
  fallback: 'thaw',
};

test('flag beats environment beats configuration beats default, and each is named', () => {
  expect(resolveSetting(sources)).toEqual({ value: 'flagged', from: '--queue' });
  const unflagged = { ...sources, flag: { name: '--queue', value: undefined } };
  expect(resolveSetting(unflagged)).toEqual({ value: 'environmental', from: 'THAW_TASK_QUEUE' });
  const unset = { ...unflagged, variable: { name: 'THAW_TASK_QUEUE', env: { THAW_TASK_QUEUE: '' } } };
  expect(resolveSetting(unset)).toEqual({ value: 'configured', from: 'the configuration' });
  expect(resolveSetting({ ...unset, configured: null })).toEqual({ value: 'thaw', from: 'the default' });
});

test('the configuration file is named by flag or environment, or asked for', () => {
  const env = { THAW_CONFIG: '/env.yaml' };
  expect(configPath('/flag.yaml', env)).toEqual({ value: '/flag.yaml', from: '--config' });
  expect(configPath(undefined, env)).toEqual({ value: '/env.yaml', from: 'THAW_CONFIG' });
  expect(() => configPath(undefined, {})).toThrow(
    expect.objectContaining({ code: 'ConfigInvalid', hint: 'Name it with --config PATH or in THAW_CONFIG.' }),
  );
});

test('state lies where THAW_STATE_DIR says, or below the XDG folder, or below home', () => {
  const env = { THAW_STATE_DIR: '/state', XDG_STATE_HOME: '/xdg', HOME: '/home/me' };
  expect(stateDir('/flag', env).value).toBe('/flag');
  expect(stateDir(undefined, env).value).toBe('/state');
  expect(stateDir(undefined, { ...env, THAW_STATE_DIR: '' }).value).toBe('/xdg/thaw');
  expect(stateDir(undefined, { HOME: '/home/me' }).value).toBe('/home/me/.local/state/thaw');
});
