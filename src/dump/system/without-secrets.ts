const secretName = /pass|secret|token|key|credential|_url$|_dsn$/i;

/** Shorter values, such as `1`, are no secrets, and stand in many words. */
const shortest = 4;

/** A line of a program without credentials of URLs, and without what secret variables of its environment hold. */
export function withoutSecrets(line: string, env: NodeJS.ProcessEnv): string {
  const values = Object.entries(env).flatMap(([name, value]) =>
    secretName.test(name) && value !== undefined && value.length >= shortest ? [value] : [],
  );
  const longestFirst = values.sort((a, b) => b.length - a.length);
  const cleared = longestFirst.reduce((text, value) => text.replaceAll(value, '***'), line);
  return cleared.replaceAll(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, '$1***@');
}
