/** What is wrong with the bytes of an archive. The reader makes an `ArchiveCorrupt` of it, once it has read the rest. */
export class Damage extends Error {
  override readonly name = 'Damage';
}
