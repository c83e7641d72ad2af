import { userInfo } from 'node:os';

/** Who runs the command, for records: `USER`, else the user of the system. */
export function whoAsks(env: NodeJS.ProcessEnv): string {
  if (env.USER) return env.USER;
  try {
    return userInfo().username;
  } catch {
    // In a container, a user may have a number only.
    return `user ${process.getuid?.() ?? 'unknown'}`;
  }
}
