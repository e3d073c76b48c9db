const POOL_BYTES = 4096

let pool: Uint8Array = new Uint8Array(0)
let used = 0

/**
 * From the platform's CSPRNG, drawn 4 KiB at a time, since a draw costs much the same however small it is (5 µs on the
 * machine measured), and every save needs 20 bytes. No byte is given out twice, so a view is enough. Nothing is drawn
 * before the first use, which workerd forbids at start-up.
 */
export function randomBytes(length: number): Uint8Array {
  if (used + length > pool.length) {
    pool = crypto.getRandomValues(new Uint8Array(POOL_BYTES))
    used = 0
  }
  used += length
  return pool.subarray(used - length, used)
}
