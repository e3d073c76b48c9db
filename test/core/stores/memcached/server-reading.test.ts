import { describe, expect, it } from 'vitest'
import {
  happenedBetween,
  readingOf,
  type Reading,
} from '../../../../src/core/stores/memcached/server-reading.ts'

const STATS = { pid: '1', uptime: '100', time: '1000100', cmd_flush: '2', evictions: '30' }
const read = (stats: Record<string, string> = STATS, seconds = 0): Reading | undefined =>
  readingOf(new Map(Object.entries(stats)), seconds * 1000, 5_000_000 + seconds * 1000)

const before = read()!
/** A minute later; unless told otherwise nothing has happened. */
function after(changes: Partial<Record<keyof typeof STATS, string>> = {}, seconds = 60): Reading {
  const [uptime, time] = [100 + seconds, 1_000_100 + seconds].map(String) as [string, string]
  return read({ ...STATS, uptime, time, ...changes }, seconds)!
}
const typesOf = (reading: Reading) => happenedBetween(before, reading).map(({ type }) => type)

describe('What happened between two readings', () => {
  it('K3: nothing, as long as the server goes on', () => {
    expect(typesOf(after())).toEqual([])
    expect(typesOf(after({}, 86_400))).toEqual([])
  })

  it('K3: a restart: less uptime than there must be, also where it is more than it was, and the pid is the same', () => {
    expect(typesOf(after({ uptime: '3' }))).toEqual(['server-restarted'])
    expect(typesOf(after({ uptime: '110' }))).toEqual(['server-restarted'])
    expect(typesOf(after({ uptime: '3', time: '1000103', pid: '2' }))).toEqual(['server-restarted'])
  })

  it('K3: no restart: a warm one, which keeps the uptime, and what clocks may differ by', () => {
    expect(typesOf(after({ pid: '2' }))).toEqual([])
    expect(typesOf(after({ pid: '2', uptime: '158' }))).toEqual([])
    expect(typesOf(after({ pid: '2', uptime: '157' }))).toEqual(['server-restarted'])
  })

  it('K3: no restart: the same process, that stood still and is behind the time', () => {
    expect(typesOf(after({ uptime: '110', time: '1000110' }))).toEqual([])
  })

  it('K3: a flush; one since a restart is not told beside it', () => {
    expect(typesOf(after({ cmd_flush: '3' }))).toEqual(['server-flushed'])
    expect(typesOf(after({ cmd_flush: '9', evictions: '99', uptime: '3' }))).toEqual(['server-restarted'])
  })

  it('K3: evictions, how many and since when', () => {
    expect(happenedBetween(before, after({ evictions: '37' }))).toEqual([
      { type: 'server-evicting', count: 7, since: 5_000_000 },
    ])
    expect(typesOf(after({ evictions: '31', cmd_flush: '3' }))).toEqual(['server-flushed', 'server-evicting'])
  })

  it('K3: a counter that went down was reset, and is nothing', () => {
    expect(typesOf(after({ cmd_flush: '0', evictions: '0' }))).toEqual([])
  })

  it.each(Object.keys(STATS).filter((name) => name !== 'pid'))(
    'K3: without %s, or with one that is no number, a server says nothing',
    (name) => {
      expect(read({ ...STATS, [name]: 'a lot' })).toBeUndefined()
      expect(read({ ...STATS, [name]: 'NaN' })).toBeUndefined()
      const { [name]: _, ...rest } = STATS as Record<string, string>
      expect(read(rest)).toBeUndefined()
    },
  )
})
