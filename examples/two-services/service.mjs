// A tiny HTTP service of the example: `node service.mjs argus` counts users, `node service.mjs hermes` transactions.
// Its database is told by {NAME}_DB_HOST, _PORT, _USER, _PASSWORD and _NAME, its port by {NAME}_HTTP_PORT.
import http from 'node:http';
import pg from 'pg';

const [, , name = 'argus'] = process.argv;
const rows = { argus: 'users', hermes: 'transactions' }[name];
const setting = (part) => process.env[`${name.toUpperCase()}_${part}`];

async function query(sql) {
  const client = new pg.Client({
    host: setting('DB_HOST'),
    port: Number(setting('DB_PORT')),
    user: setting('DB_USER'),
    password: setting('DB_PASSWORD'),
    database: setting('DB_NAME') ?? `${name}_db`,
  });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

const routes = {
  '/api/health': async () => {
    await query('select 1');
    return { status: 'ok' };
  },
  [`/api/${rows}`]: async () => (await query(`select count(*)::int as count from ${rows}`))[0],
};

const server = http.createServer(async (request, response) => {
  const route = routes[request.url];
  const answer = (status, body) => {
    response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
    response.end(JSON.stringify(body));
  };
  if (route === undefined) return answer(404, { error: 'not found' });
  try {
    answer(200, await route());
  } catch (error) {
    process.stdout.write(`ERROR ${request.url}: ${error.message}\n`);
    answer(503, { error: error.message });
  }
});
server.listen(Number(setting('HTTP_PORT')), '127.0.0.1', () => {
  process.stdout.write(`${name} listens\n`);
});
