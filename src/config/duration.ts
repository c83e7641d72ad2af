const secondsOf: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Reads a time such as `90s`, `30m`, `12h` or `7d`, in seconds; null when it is none, or zero. */
export function parseSeconds(text: string): number | null {
  const [, number, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const seconds = Number(number) * (secondsOf[unit ?? ''] ?? 0);
  return seconds > 0 ? seconds : null;
}
