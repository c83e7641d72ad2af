import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { openBundle } from '../../src/bundle/bundle.ts';
import { parseDescription } from '../../src/bundle/describe.ts';
import { openZip } from '../../src/bundle/zip.ts';
import { bytesOf, makeZip, replaced, type ZipContent } from './zip-writer.ts';

const describeYaml = `
users:
  status: active
  description: null
  fields:
    email: { type: text, required: true, unique: true, enum_values: null, sparkle: 1 }
    age: { type: integer, minimum: '0', maximum: 150, default_value: 18 }
    tags: { type: text, is_array: true }
    team:
      type: uuid
      relationship_type: owned
      related_model: teams
      cascade_delete: true
teams:
  columns:
    id: { type: uuid }
    title: { data_type: text, label: Title }
`;

const users = '{"id":"1"}\n{"id":"2"}\n';

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function manifest(artifacts: readonly object[], rest: object = {}): string {
  return JSON.stringify({ version: '1.0', artifacts, ...rest });
}

async function opened(files: Readonly<Record<string, ZipContent>>) {
  return openBundle(bytesOf(await makeZip(files)));
}

async function textOf(chunks: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts).toString();
}

async function refusal(bytes: Buffer): Promise<string> {
  const error = await openBundle(bytesOf(bytes))
    .then((bundle) => bundle.readDescription())
    .catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'InputInvalid' });
  return (error as Error).message;
}

describe('a bundle', () => {
  it('is read whatever the order of its files, with description and manifest', async () => {
    const bundle = await opened({
      'users.jsonl': users,
      'notes.txt': 'passed over',
      'teams.jsonl': '',
      'describe.yaml': describeYaml,
      'manifest.json': manifest(
        [
          {
            type: 'data-users',
            name: 'users.jsonl',
            size: 22,
            checksum: `sha256:${sha256(users)}`,
            records: 2,
          },
          { type: 'describe', name: 'describe.yaml', checksum: sha256(describeYaml), records: 0 },
        ],
        {
          requires: [{ name: 'base', version: '^1.0.0' }, 'extras'],
          name: 'slack',
          package_version: '1.2.0',
        },
      ),
    });
    expect(bundle.files.map(({ model, bytes, records }) => [model, bytes, records])).toEqual([
      ['teams', 0, null],
      ['users', 22, 2],
    ]);
    expect(await textOf((await bundle.files[1]?.open()) ?? (async function* () {})())).toBe(users);
    expect(bundle.manifest).toMatchObject({
      package: { name: 'slack', version: '1.2.0' },
      requires: [
        { name: 'base', version: '^1.0.0' },
        { name: 'extras', version: '*' },
      ],
    });
    expect(
      (await bundle.readDescription())?.models.map(({ name, fields }) => [
        name,
        fields.map((field) => field.name),
      ]),
    ).toEqual([
      ['users', ['email', 'age', 'tags', 'team']],
      ['teams', ['title']],
    ]);
    const [email, age, tags, team] = (await bundle.readDescription())?.models[0]?.fields ?? [];
    expect(email).toMatchObject({ type: 'text', required: true, unique: true, enumValues: null });
    expect(age).toMatchObject({ type: 'integer', minimum: '0', maximum: '150', defaultValue: '18' });
    expect(tags?.type).toBe('text[]');
    expect(team?.relationship).toEqual({ type: 'owned', model: 'teams', field: 'id', cascadeDelete: true });
    expect((await bundle.readDescription())?.warnings).toEqual([
      'describe.yaml: users.email: "sparkle" is not known',
    ]);
  });

  it('keeps every digit of the numbers of its description', async () => {
    const bundle = await opened({
      'describe.yaml': `a:
  fields:
    b: { type: bigserial, default_value: 9007199254740993, minimum: -9223372036854775808, maximum: 12 }
    c: { type: decimal, default_value: 1.2345678901234567890e-3, minimum: 0x10, enum_values: [0.1, 12345678901234567.8] }
`,
    });
    expect((await bundle.readDescription())?.models[0]?.fields).toMatchObject([
      { defaultValue: '9007199254740993', minimum: '-9223372036854775808', maximum: '12' },
      { defaultValue: '1.2345678901234567890e-3', minimum: '16', enumValues: ['0.1', '12345678901234567.8'] },
    ]);
  });

  it('may lie in one common folder, and have data alone', async () => {
    const bundle = await opened({
      'export-2025-01-19/users.jsonl': users,
      'export-2025-01-19/sub/x.jsonl': '',
    });
    expect(bundle.files.map(({ model }) => model)).toEqual(['users']);
    expect([await bundle.readDescription(), bundle.manifest]).toEqual([null, null]);
  });

  it('is read as well where a Mac has packed it', async () => {
    const bundle = await opened({ 'export/users.jsonl': users, '__MACOSX/export/._users.jsonl': 'rubbish' });
    expect(bundle.files.map(({ model }) => model)).toEqual(['users']);
  });

  it('of zip64 is read', async () => {
    const bundle = await openBundle(bytesOf(await makeZip({ 'users.jsonl': users }, { zip64: true })));
    expect(bundle.files[0]?.bytes).toBe(22);
  });

  it('of 10,000 models is listed with few reads', async () => {
    const files = Object.fromEntries(Array.from({ length: 10_000 }, (_, place) => [`m${place}.jsonl`, '']));
    const source = bytesOf(await makeZip(files, { compress: false }));
    expect((await openBundle(source)).files).toHaveLength(10_000);
    expect(source.parts).toBeLessThan(10);
  });
});

describe('what is damaged is told', () => {
  it('at the end of a file whose bytes are not those of the manifest', async () => {
    const bundle = await opened({
      'users.jsonl': users,
      'manifest.json': manifest([{ name: 'users.jsonl', checksum: sha256('other') }]),
    });
    const chunks = await bundle.files[0]?.open();
    await expect(textOf(chunks ?? (async function* () {})())).rejects.toThrow(
      'users.jsonl is not what manifest.json says',
    );
  });

  it('at the end of a file whose CRC-32 is another', async () => {
    const zip = replaced(
      await makeZip({ 'users.jsonl': users }, { compress: false }),
      '"id":"1"',
      '"id":"7"',
    );
    const bundle = await openBundle(bytesOf(zip));
    const chunks = await bundle.files[0]?.open();
    await expect(textOf(chunks ?? (async function* () {})())).rejects.toThrow('its CRC-32 is another');
  });

  it('when the description is not that of the manifest, or a file is missing', async () => {
    const artifacts = [{ name: 'describe.yaml', checksum: sha256('x') }];
    const zip = await makeZip({ 'describe.yaml': describeYaml, 'manifest.json': manifest(artifacts) });
    expect(await refusal(zip)).toContain('describe.yaml is not what manifest.json says');
    const lost = await makeZip({ 'describe.yaml': '', 'manifest.json': manifest([{ name: 'users.jsonl' }]) });
    expect(await refusal(lost)).toContain('manifest.json names "users.jsonl", which is not there');
  });

  it('for every part of a ZIP that is cut off or overwritten', async () => {
    const zip = await makeZip({ 'users.jsonl': users, 'describe.yaml': describeYaml });
    for (const length of [0, 1, 21, 22, 100, zip.length - 30, zip.length - 1]) {
      await refusal(zip.subarray(0, length));
    }
    for (let at = 0; at < zip.length; at += 7) {
      const bytes = Buffer.from(zip);
      bytes[at] = (bytes[at] ?? 0) ^ 0xff;
      try {
        const bundle = await openBundle(bytesOf(bytes));
        for (const file of bundle.files) await textOf(await file.open());
      } catch (error) {
        expect(error, `byte ${at}`).toMatchObject({ code: 'InputInvalid' });
      }
    }
  });
});

describe('a description of thousands of models', () => {
  const models = Array.from(
    { length: 3000 },
    (_, place) => `m${place}:\n  # of it\n  fields: { size: { type: integer },\n    title: {} }\n`,
  );

  it('is parsed in parts, as if it were parsed whole, and others have their turn meanwhile', async () => {
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 0);
    const parts = await parseDescription(`# all\n${models.join('')}`);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(1);
    // A line of another form at its beginning is enough.
    expect(await parseDescription(`---\n${models.join('')}`)).toEqual(parts);
    expect(parts.models.map(({ name }) => name)).toEqual(models.map((_, place) => `m${place}`));
  });

  it.each([
    ['a model that is there twice', `${models.join('')}m1: {}\n`],
    ['a line that is no YAML', `${models.join('')}x: { fields: {\n`],
    ['a line that belongs to nothing', `${models.join('')}x:\n  fields: {\ny: 1 } }\n`],
  ])('is refused for %s', async (_, text) => {
    await expect(parseDescription(text)).rejects.toThrow('describe.yaml is not valid YAML');
  });
});

describe('what is hostile is refused', () => {
  it.each([
    ['a name that leads out', 'aa/users.jsonl', '../users.jsonl'],
    ['an absolute name', 'aa/users.jsonl', '/a/users.jsonl'],
    ['a name of Windows', 'aa/users.jsonl', 'C:/users.jsonl'],
    ['a backslash', 'aa/users.jsonl', 'aa\\users.jsonl'],
    ['a name with a control character', 'aa/users.jsonl', 'aa/us\u0001rs.jsonl'],
  ])('%s', async (_, from, to) => {
    await refusal(replaced(await makeZip({ [from]: users, 'b.jsonl': '' }), from, to));
  });

  it('a name that is there twice, also in other case', async () => {
    const zip = await makeZip({ 'usera.jsonl': users, 'userb.jsonl': users });
    expect(await refusal(replaced(zip, 'userb', 'usera'))).toContain('is there twice');
    expect(await refusal(replaced(zip, 'userb', 'USERA'))).toContain('is there twice');
  });

  it('a symbolic link', async () => {
    expect(await refusal(await makeZip({ 'users.jsonl': '/etc/passwd' }, { mode: 0o120777 }))).toContain(
      'is no plain file',
    );
  });

  it('an encrypted entry', async () => {
    const zip = await makeZip({ 'users.jsonl': users });
    const central = zip.indexOf(Buffer.from('PK\u0001\u0002', 'latin1'));
    zip.writeUInt16LE(zip.readUInt16LE(central + 8) | 1, central + 8);
    expect(await refusal(zip)).toContain('is encrypted');
  });

  it('a bomb, by its ratio and by the sum of its files', async () => {
    const zeros = Buffer.alloc(8 * 1024 * 1024);
    expect(await refusal(await makeZip({ 'users.jsonl': zeros }))).toContain(
      'expands to more than 400 times',
    );
    const limits = { entries: 10, totalBytes: 1000, ratio: 400 };
    const many = await makeZip({ 'a.jsonl': Buffer.alloc(600), 'b.jsonl': Buffer.alloc(600) });
    await expect(openZip(bytesOf(many), limits)).rejects.toThrow('it holds more than 1000 bytes');
    const files = Object.fromEntries(Array.from({ length: 11 }, (_, place) => [`m${place}.jsonl`, '']));
    await expect(openZip(bytesOf(await makeZip(files)), limits)).rejects.toThrow('at most 10 are taken');
  });

  it('an entry that says it is smaller than it is', async () => {
    const zip = await makeZip({ 'users.jsonl': Buffer.alloc(5000, 'a') });
    const central = zip.indexOf(Buffer.from('PK\u0001\u0002', 'latin1'));
    zip.writeUInt32LE(10, central + 24);
    const bundle = await openBundle(bytesOf(zip));
    const chunks = await bundle.files[0]?.open();
    await expect(textOf(chunks ?? (async function* () {})())).rejects.toMatchObject({ code: 'InputInvalid' });
  });

  it.each([
    'users; drop table x.jsonl',
    'Users.jsonl',
    'a__b.jsonl',
    'select.jsonl',
    '1a.jsonl',
    `${'a'.repeat(64)}.jsonl`,
  ])('the model name %s', async (name) => {
    expect(await refusal(await makeZip({ [name]: users }))).toContain('is no name of a model');
  });

  it.each([
    ['a type', 'users: { fields: { a: { type: "text; drop table x" } } }', 'is not known'],
    ['a field', 'users: { fields: { "a b": { type: text } } }', 'is no name of a field'],
    ['a model', '"x y": { fields: {} }', 'is no name of a model'],
    [
      'a relationship',
      'a: { fields: { b: { relationship_type: owned, related_model: "x; y" } } }',
      'points at',
    ],
    ['aliases', 'a: &x { fields: {} }\nb: *x', 'is not valid YAML'],
    ['a key that is there twice', 'a: {}\na: {}', 'is not valid YAML'],
    ['a list', '- a', 'describe.yaml: the file'],
    ['rubbish', '{', 'is not valid YAML'],
  ])('a description with %s that is none', async (_, yaml, message) => {
    expect(await refusal(await makeZip({ 'describe.yaml': yaml }))).toContain(message);
  });

  it('a description nested without end', async () => {
    const deep = `a: ${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    await refusal(await makeZip({ 'describe.yaml': deep }));
  });

  it('a manifest that is none', async () => {
    expect(
      await refusal(await makeZip({ 'manifest.json': '{"artifacts": [{"name": 1}]}', 'a.jsonl': '' })),
    ).toContain('manifest.json: artifacts.0.name');
    expect(await refusal(await makeZip({ 'manifest.json': '{', 'a.jsonl': '' }))).toContain('not valid JSON');
  });

  it('a ZIP without anything of a bundle', async () => {
    expect(await refusal(await makeZip({ 'readme.md': 'x' }))).toContain(
      'neither describe.yaml nor {model}.jsonl',
    );
  });
});
