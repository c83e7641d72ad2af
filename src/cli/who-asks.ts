import { userInfo } from 'node:os';

/** Who runs the command, for records: the user of the system. */
export function whoAsks(): string {
  try {
    return userInfo().username;
  } catch {
    // In a container, a user may have a number only.
    return `user ${process.getuid?.() ?? 'unknown'}`;
  }
}
