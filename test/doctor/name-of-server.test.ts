import { promises as dns } from 'node:dns'
import { describe, expect, it, vi } from 'vitest'
import { diagnose } from '../../src/doctor/doctor.ts'
import { lookUpName } from '../../src/doctor/name-of-server.ts'
import { useServers } from '../support/servers.ts'

const { onEnd, memcached } = useServers()

/** Has the resolver say this of every name. */
function resolve(...addresses: string[]) {
  const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
  const lookup = vi.spyOn(dns, 'lookup').mockResolvedValue(found as never)
  onEnd(() => lookup.mockRestore())
  return lookup
}

describe('the name of a server', () => {
  it.each([
    ['two of IPv4', ['10.0.0.1', '10.0.0.2'], '2 addresses (10.0.0.1, 10.0.0.2)'],
    ['three of IPv4, beside one of IPv6', ['10.0.0.1', 'fd00::1', '10.0.0.2', '10.0.0.3'], '3 addresses'],
    ['two of IPv6, beside one of IPv4', ['10.0.0.1', 'fd00::1', 'fd00::2'], '2 addresses (fd00::1, fd00::2)'],
  ])('L5: that stands for several servers is warned of: %s', async (_, addresses, said) => {
    resolve(...addresses)
    const [finding, ...others] = await lookUpName('sessions.internal')
    expect(others).toEqual([])
    expect(finding).toMatchObject({ level: 'warning', topic: 'name' })
    expect(finding!.message).toContain(said)
    expect(finding!.advice).toMatch(/^One name is one server: list each/)
  }) // prettier-ignore

  it.each([
    ['an address of each family', ['127.0.0.1', '::1']],
    ['the same address twice, as a hosts file may have it', ['127.0.0.1', '127.0.0.1']],
    ['nothing', []],
  ])('L5: that stands for one is fine: %s', async (_, addresses) => {
    resolve(...addresses)
    expect(await lookUpName('sessions.internal')).toEqual([])
  })

  it('L5: is looked up', async () => {
    expect(await Promise.all(['127.0.0.1', '::1', 'nobody.invalid'].map((host) => lookUpName(host)))).toEqual(
      [[], [], []],
    )
  })

  it('L5: makes the report a warning', async () => {
    const { address } = await memcached()
    const lookup = resolve('10.0.0.1', '10.0.0.2')
    const { level, findings } = await diagnose(address)
    expect(lookup.mock.calls).toEqual([['127.0.0.1', { all: true }]])
    expect(level).toBe('warning')
    expect(findings[0]).toMatchObject({ topic: 'name' })
  })
})
