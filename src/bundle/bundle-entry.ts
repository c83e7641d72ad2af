/** A file of a bundle. */
export interface BundleEntry {
  /** With the folders that it lies in. */
  readonly name: string;
  /** Bytes, decompressed. */
  readonly bytes: number;
  /** Its bytes; of a ZIP, size and CRC-32 are checked at the end. @throws ThawError for what is damaged, or no longer what it was */
  open(): Promise<AsyncIterable<Buffer>>;
}
