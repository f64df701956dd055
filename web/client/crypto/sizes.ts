/** The measures of age's payload, and what sealing adds to a file. */

/** Plaintext bytes in a chunk. */
export const chunkSize = 64 * 1024
export const tagSize = 16
export const nonceSize = 16
export const sealedChunkSize = chunkSize + tagSize

/** How many bytes a file has when it is sealed. */
export function sealedSize(headerSize: number, size: number): number {
  const chunks = Math.max(1, Math.ceil(size / chunkSize))
  return headerSize + nonceSize + size + chunks * tagSize
}

/** How many bytes a sealed file has when it is opened; undefined if no file becomes so long. */
export function openedSize(headerSize: number, sealed: number): number | undefined {
  const payload = sealed - headerSize - nonceSize
  const chunks = Math.max(1, Math.ceil(payload / sealedChunkSize))
  const size = payload - chunks * tagSize
  return size >= 0 && sealedSize(headerSize, size) === sealed ? size : undefined
}
