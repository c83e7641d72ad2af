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

test('every route stands under a topic, and every topic has routes', async () => {
  const { testApp } = await import('./fake-restores.ts');
  const { paths, tags } = (await (await testApp().request('/openapi.json')).json()) as {
    paths: Record<string, Record<string, { tags?: string[] }>>;
    tags: { name: string }[];
  };
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.values(methods).map((route) => ({ path, topics: route.tags ?? [] })),
  );
  expect(routes.filter(({ topics }) => topics.length !== 1)).toEqual([]);
  expect([...new Set(routes.flatMap(({ topics }) => topics))].sort()).toEqual(
    tags.map(({ name }) => name).sort(),
  );
  expect(routes.filter(({ topics }) => topics[0] === 'Process').map(({ path }) => path)).toEqual([
    '/healthz',
    '/readyz',
  ]);
});
