/** The tools that the stack runs and that npm does not bring. */
export type ToolName = 'temporal' | 'versitygw';

/** Where a tool comes from. */
export interface ToolSource {
  readonly name: ToolName;
  /** For people. */
  readonly title: string;
  /** Names an executable to use instead. */
  readonly variable: string;
  /** The version that is downloaded or built, and that names its folder in the cache. */
  readonly version: string;
  /** Finds the version in what `--version` prints. */
  readonly versionPattern: RegExp;
  /** What `versionPattern` finds in the pinned version. */
  readonly reportsVersion: string;
  /** For `go install`. */
  readonly goPackage: string;
  /** Where the archive with the executable is, for a platform as Go names it. */
  archiveUrl(platform: string, architecture: string, signal: AbortSignal): Promise<string>;
}

/**
 * The pinned tools. Temporal CLI 1.5.1 is the newest that `go install` can build: later ones carry a
 * `replace` in their go.mod, which it refuses (https://github.com/golang/go/issues/44840).
 */
export const toolSources: Readonly<Record<ToolName, ToolSource>> = {
  temporal: {
    name: 'temporal',
    title: 'the Temporal CLI',
    variable: 'THAW_TEMPORAL_CLI',
    version: '1.5.1',
    // Built by `go install`, it does not know its own version (0.0.0-DEV), but that of the server in it.
    versionPattern: /Server (\d+\.\d+\.\d+)/,
    reportsVersion: '1.29.1',
    goPackage: 'github.com/temporalio/cli/cmd/temporal@v1.5.1',
    archiveUrl: temporalArchiveUrl,
  },
  versitygw: {
    name: 'versitygw',
    title: 'the S3 gateway versitygw',
    variable: 'THAW_VERSITYGW',
    version: '1.7.0',
    versionPattern: /Version\s*:\s*v?(\d+\.\d+\.\d+)/,
    reportsVersion: '1.7.0',
    goPackage: 'github.com/versity/versitygw/cmd/versitygw@v1.7.0',
    archiveUrl: async (platform, architecture) => {
      const system = platform === 'darwin' ? 'Darwin' : 'Linux';
      const machine = architecture === 'amd64' ? 'x86_64' : architecture;
      return `https://github.com/versity/versitygw/releases/download/v1.7.0/versitygw_v1.7.0_${system}_${machine}.tar.gz`;
    },
  },
};

/** Asks the service from which the Temporal SDKs obtain the CLI too. */
async function temporalArchiveUrl(
  platform: string,
  architecture: string,
  signal: AbortSignal,
): Promise<string> {
  const query = new URLSearchParams({ platform, arch: architecture, format: 'tar.gz' });
  const answer = await fetch(`https://temporal.download/cli/v1.5.1?${query}`, { signal });
  if (!answer.ok) throw new Error(`temporal.download answered ${answer.status}`);
  const info = (await answer.json()) as { archiveUrl: string };
  return info.archiveUrl;
}
