import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { ApiEnv } from './api-env.ts';

/** Swagger UI, as its package has it. https://github.com/swagger-api/swagger-ui */
const assets: Readonly<Record<string, string>> = {
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'swagger-ui.css': 'text/css; charset=utf-8',
};

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Thaw: HTTP API</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="/docs/swagger-ui.css">
  </head>
  <body>
    <div id="page"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;

const start = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#page',
  deepLinking: true,
  tryItOutEnabled: true,
});
`;

/** All from this server, nothing from elsewhere; the styles that Swagger UI writes into elements are its own. */
const contentPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/** `/docs`: a page that shows the description of the API, and where it can be tried with a token. */
export function addDocsPage(app: OpenAPIHono<ApiEnv>): void {
  app.get('/docs', (context) => {
    context.header('Content-Security-Policy', contentPolicy);
    return context.html(page);
  });
  app.get('/docs/start.js', (context) =>
    context.body(start, 200, { 'Content-Type': 'text/javascript; charset=utf-8' }),
  );
  for (const [name, type] of Object.entries(assets)) {
    app.get(`/docs/${name}`, async (context) =>
      context.body(await readAsset(name), 200, { 'Content-Type': type }),
    );
  }
}

async function readAsset(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const file = createRequire(import.meta.url).resolve(`swagger-ui-dist/${name}`);
  return Uint8Array.from(await readFile(file));
}
