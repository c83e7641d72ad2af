/** Control characters of C1 and line separators stand in JSON as they are, and would act on a terminal. */
const unprintable = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

/** A text in which nothing acts on a terminal; one that is JSON stays the same JSON. */
export function printable(text: string): string {
  return text.replaceAll(
    unprintable,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
