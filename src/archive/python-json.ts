const token = /"[^"\\]*(?:\\.[^"\\]*)*"|-?(?:NaN|Infinity)/g;

/**
 * Parses JSON as Python writes it, whose floats may be `NaN` and `Infinity`: they become null, as nothing
 * that is read from metadata is one.
 *
 * @throws SyntaxError, whose message quotes from the text; TypeError for bytes that are not UTF-8
 */
export function parsePythonJson(bytes: Uint8Array): unknown {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  try {
    return JSON.parse(text);
  } catch {
    return JSON.parse(text.replaceAll(token, (found) => (found.startsWith('"') ? found : 'null')));
  }
}
