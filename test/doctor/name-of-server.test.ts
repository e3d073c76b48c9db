import { describe, expect, it } from 'vitest'
import { diagnose } from '../../src/doctor/doctor.ts'
import { findingsOfName, lookUpName } from '../../src/doctor/name-of-server.ts'
import { useServers } from '../support/servers.ts'

const { memcached } = useServers()

/** What a resolver says of a name. */
const resolved = (...addresses: string[]) =>
  addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))

describe('the name of a server', () => {
  it.each([
    ['two of IPv4', resolved('10.0.0.1', '10.0.0.2'), '2 addresses (10.0.0.1, 10.0.0.2)'],
    ['three of IPv4, beside one of IPv6', resolved('10.0.0.1', 'fd00::1', '10.0.0.2', '10.0.0.3'), '3 addresses'],
    ['two of IPv6, beside one of IPv4', resolved('10.0.0.1', 'fd00::1', 'fd00::2'), '2 addresses (fd00::1, fd00::2)'],
  ])('L5: that stands for several servers is warned of: %s', (_, addresses, said) => {
    const [finding, ...others] = findingsOfName(addresses)
    expect(others).toEqual([])
    expect(finding).toMatchObject({ level: 'warning', topic: 'name' })
    expect(finding!.message).toContain(said)
    expect(finding!.advice).toMatch(/^One name is one server: list each/)
  }) // prettier-ignore

  it.each([
    ['an address of each family', resolved('127.0.0.1', '::1')],
    ['the same address twice, as a hosts file may have it', resolved('127.0.0.1', '127.0.0.1')],
    ['nothing', []],
  ])('L5: that stands for one is fine: %s', (_, addresses) => {
    expect(findingsOfName(addresses)).toEqual([])
  })

  it('L5: is looked up', async () => {
    expect(await Promise.all(['127.0.0.1', '::1', 'nobody.invalid'].map((host) => lookUpName(host)))).toEqual(
      [[], [], []],
    )
  })

  it('L5: makes the report a warning', async () => {
    const { address } = await memcached()
    const asked: string[] = []
    const { level, findings } = await diagnose(address, async (host) => {
      asked.push(host)
      return findingsOfName(resolved('10.0.0.1', '10.0.0.2'))
    })
    expect(asked).toEqual(['127.0.0.1'])
    expect(level).toBe('warning')
    expect(findings[0]).toMatchObject({ topic: 'name' })
  })
})
