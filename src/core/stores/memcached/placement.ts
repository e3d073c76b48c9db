/**
 * Rendezvous hashing: every server bids for every key and the highest bid holds it. A server added to `n` takes
 * 1/(n+1) of the keys and no other key moves; memjs alone, by hash modulo n, moves n/(n+1) of them (M9, I1).
 *
 * The answer is an index into `servers`; which server that is depends on the names only, never on their order.
 */
export function rendezvous(servers: readonly string[]): (key: string) => number {
  if (servers.length === 1) return () => 0
  const bidders = servers.map((name) => ({ name, hash: fnv1a(name) }))
  return function place(key) {
    const keyHash = fnv1a(key)
    let winner = 0
    let highest = -1
    for (const [index, { name, hash }] of bidders.entries()) {
      const bid = fmix32(keyHash ^ hash)
      if (bid > highest || (bid === highest && name < servers[winner]!)) {
        winner = index
        highest = bid
      }
    }
    return winner
  }
}

/** FNV-1a, 32 bits: http://www.isthe.com/chongo/tech/comp/fnv. Keys and server names are ASCII. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return hash
}

/** MurmurHash3's finalizer: FNV alone leaves names that differ in one digit with bids that go together. */
function fmix32(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
