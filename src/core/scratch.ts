const SLAB_BYTES = 16_384

let slab: Uint8Array = new Uint8Array(0)
let used = 0

/**
 * The parts in a row, in memory for what is soon done with. It is cut from a larger piece, since memory of its own lies
 * outside V8's heap, where making and collecting it costs more than all that is done with it. Only for what is sealed,
 * which is all that whoever takes the buffer behind the bytes for all of them can see; and whoever keeps them keeps the
 * piece.
 */
export function scratch(...parts: Uint8Array[]): Uint8Array {
  const bytes = piece(parts.reduce((length, part) => length + part.length, 0))
  let start = 0
  for (const part of parts) {
    bytes.set(part, start)
    start += part.length
  }
  return bytes
}

function piece(length: number): Uint8Array {
  if (length > SLAB_BYTES / 4) return new Uint8Array(length)
  if (used + length > slab.length) {
    slab = new Uint8Array(SLAB_BYTES)
    used = 0
  }
  used += length
  return slab.subarray(used - length, used)
}
