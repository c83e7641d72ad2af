import { readFileSync } from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '../..');

/** A document of the project, such as `docs/api.md`. */
export function readDocument(file: string): string {
  return readFileSync(path.join(root, file), 'utf8');
}

/** The rows of a table of a document, without its head, each as its cells; tables are told by their first heading. */
export function tableRows(document: string, heading: string): string[][] {
  const lines = document.split('\n');
  const head = lines.findIndex((line) => line.startsWith('|') && cellsOf(line)[0] === heading);
  if (head === -1) throw new Error(`there is no table headed ${heading}`);
  const end = lines.findIndex((line, place) => place > head && !line.startsWith('|'));
  return lines.slice(head + 2, end === -1 ? undefined : end).map(cellsOf);
}

/** What stands between backquotes. */
export function codeIn(text: string): string[] {
  return Array.from(text.matchAll(/`([^`]+)`/g), ([, code = '']) => code);
}

/** A fenced block of a document. */
export interface CodeBlock {
  readonly language: string;
  readonly text: string;
}

/** The fenced blocks of a document, in order. */
export function codeBlocks(document: string): CodeBlock[] {
  return Array.from(document.matchAll(/^```(\w*)\n(.*?)^```$/gms), ([, language = '', text = '']) => ({
    language,
    text,
  }));
}

function cellsOf(line: string): string[] {
  // A bar that is escaped belongs to its cell.
  return line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim());
}
