import { expect, test } from 'vitest';

test('the API is made when another part has loaded the definition of a restore before', async () => {
  await import('../../src/client/restore-input.ts');
  const { testApp } = await import('./fake-restores.ts');
  const answer = await testApp().request('/openapi.json');
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({
    openapi: '3.1.0',
    components: { schemas: { RestoreInput: { type: 'object', additionalProperties: false } } },
  });
});
