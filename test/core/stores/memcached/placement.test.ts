import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { rendezvous } from '../../../../src/core/stores/memcached/placement.ts'

const keys = Array.from(
  { length: 100_000 },
  (_, index) => `session:${createHash('sha256').update(String(index)).digest('base64url')}`,
)

const serverLists = {
  'addresses that differ in a digit': (count: number) =>
    Array.from({ length: count }, (_, index) => `10.0.0.${index + 1}:11211`),
  'one host, neighbouring ports': (count: number) =>
    Array.from({ length: count }, (_, index) => `127.0.0.1:${11211 + index}`),
  'host names': (count: number) =>
    Array.from({ length: count }, (_, index) => `sessions-${index}.internal:11211`),
}

function holders(servers: readonly string[]): string[] {
  const place = rendezvous(servers)
  return keys.map((key) => servers[place(key)]!)
}

describe.each(Object.entries(serverLists))('rendezvous: %s', (_, serverList) => {
  it.each([1, 2, 4, 10])('I1: a server added to %i moves at most its share, and only to itself', (count) => {
    const before = holders(serverList(count))
    const after = holders(serverList(count + 1))
    const added = serverList(count + 1).at(-1)

    const moved = after.filter((server, index) => server !== before[index])
    expect(moved.length / keys.length).toBeLessThanOrEqual(1 / (count + 1) + 0.01)
    expect(moved.length).toBeGreaterThan(0)
    expect(new Set(moved)).toEqual(new Set([added]))
  })

  it('I1: every server holds about the same number of keys', () => {
    for (const count of [2, 5, 11]) {
      const shares = new Map<string, number>()
      for (const server of holders(serverList(count))) shares.set(server, (shares.get(server) ?? 0) + 1)
      expect(shares.size).toBe(count)
      for (const share of shares.values()) {
        expect(Math.abs((share * count) / keys.length - 1)).toBeLessThan(0.05)
      }
    }
  })

  it('I1: the order of the list does not matter', () => {
    const servers = serverList(5)
    const [first, second, ...rest] = servers
    expect(holders(servers.toReversed())).toEqual(holders(servers))
    expect(holders([...rest, second!, first!])).toEqual(holders(servers))
  })
})

describe('rendezvous', () => {
  it('I1: the order does not matter for names whose hashes collide either', () => {
    // FNV-1a gives both the same 32 bits, so they tie for every key (found by search; one pair of servers in 2^32).
    const servers = ['10.0.107.237:11211', '10.2.219.40:11211']
    expect(new Set(holders(servers))).toEqual(new Set([servers[0]]))
    expect(holders(servers.toReversed())).toEqual(holders(servers))
  })

  it('I1: stays where it is from release to release', () => {
    const place = rendezvous(['10.0.0.1:11211', '10.0.0.2:11211', '10.0.0.3:11211'])
    expect(keys.slice(0, 12).map(place)).toEqual([1, 2, 1, 2, 1, 2, 1, 2, 0, 0, 1, 1])
  })
})
