/** What Temporal accepts as the summary of a workflow or activity: 400 bytes, and JSON takes some of them. */
const summaryBytes = 360;

/** Bytes of a text in UTF-8, counted by hand, as workflows have no Buffer; a pair of surrogates counts as six. */
export function byteLength(text: string): number {
  let bytes = 0;
  for (let index = 0; index < text.length; index += 1) bytes += bytesOf(text.charCodeAt(index));
  return bytes;
}

/** A text of at most so many bytes: one that is longer ends in `…`, never within a character. */
export function clip(text: string, bytes: number): string {
  if (byteLength(text) <= bytes) return text;
  let left = bytes - 3;
  let clipped = '';
  for (const character of text) {
    left -= byteLength(character);
    if (left < 0) break;
    clipped += character;
  }
  return `${clipped}…`;
}

/** A text that can be a summary in the Temporal UI: a longer one would keep the workflow from starting. */
export function summaryText(text: string): string {
  return clip(text, summaryBytes);
}

function bytesOf(unit: number): number {
  if (unit < 0x80) return 1;
  return unit < 0x800 ? 2 : 3;
}
