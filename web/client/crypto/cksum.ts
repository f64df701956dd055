/**
 * POSIX cksum: the checksum of the protocol. It finds accidents, not attackers.
 */

/** tables[256 * k + b] is the remainder of the byte b with k zero bytes behind it. */
const tables = makeTables()

function makeTables(): Int32Array {
  const tables = new Int32Array(16 * 256)
  for (let b = 0; b < 256; b++) {
    let crc = b << 24
    for (let bit = 0; bit < 8; bit++) crc = crc < 0 ? (crc << 1) ^ 0x04c11db7 : crc << 1
    tables[b] = crc
  }
  for (let i = 256; i < tables.length; i++) {
    const shorter = at(i - 256)
    tables[i] = (shorter << 8) ^ at(shorter >>> 24)
  }
  return tables

  function at(i: number): number {
    return tables[i] as number
  }
}

/** A running checksum. */
export class Cksum {
  private crc = 0
  private length = 0

  /** Takes in more bytes: sixteen at a time, by a table for each of their places. */
  update(bytes: Uint8Array): this {
    const t = tables
    const n = bytes.length
    let crc = this.crc
    let i = 0
    for (const end = n - 15; i < end; i += 16) {
      crc =
        (t[0xf00 | ((crc >>> 24) ^ (bytes[i] as number))] as number) ^
        (t[0xe00 | (((crc >>> 16) & 255) ^ (bytes[i + 1] as number))] as number) ^
        (t[0xd00 | (((crc >>> 8) & 255) ^ (bytes[i + 2] as number))] as number) ^
        (t[0xc00 | ((crc & 255) ^ (bytes[i + 3] as number))] as number) ^
        (t[0xb00 | (bytes[i + 4] as number)] as number) ^
        (t[0xa00 | (bytes[i + 5] as number)] as number) ^
        (t[0x900 | (bytes[i + 6] as number)] as number) ^
        (t[0x800 | (bytes[i + 7] as number)] as number) ^
        (t[0x700 | (bytes[i + 8] as number)] as number) ^
        (t[0x600 | (bytes[i + 9] as number)] as number) ^
        (t[0x500 | (bytes[i + 10] as number)] as number) ^
        (t[0x400 | (bytes[i + 11] as number)] as number) ^
        (t[0x300 | (bytes[i + 12] as number)] as number) ^
        (t[0x200 | (bytes[i + 13] as number)] as number) ^
        (t[0x100 | (bytes[i + 14] as number)] as number) ^
        (t[bytes[i + 15] as number] as number)
    }
    for (; i < n; i++) {
      crc = (crc << 8) ^ (t[(crc >>> 24) ^ (bytes[i] as number)] as number)
    }
    this.crc = crc
    this.length += n
    return this
  }

  /** The checksum of what was taken in until now; more may follow. */
  digest(): number {
    let crc = this.crc
    // The length goes in as well, least byte first, without leading zeros.
    for (let left = this.length; left > 0; left = Math.floor(left / 256)) {
      crc = (crc << 8) ^ (tables[((crc >>> 24) ^ left) & 255] as number)
    }
    return ~crc >>> 0
  }
}
