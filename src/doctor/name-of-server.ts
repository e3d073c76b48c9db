import { promises as dns } from 'node:dns'
import { warning, type Finding } from './finding.ts'

/**
 * L5, of a name that answered: whether it stands for one server, which may have an address of each family; several of
 * one are taken for several servers.
 */
export async function lookUpName(host: string): Promise<Finding[]> {
  const addresses = await dns.lookup(host, { all: true }).catch(() => [])
  for (const version of [4, 6]) {
    const ofVersion = addresses.filter(({ family }) => family === version)
    const found = [...new Set(ofVersion.map(({ address }) => address))]
    if (found.length < 2) continue
    const message = `has a name that stands for ${found.length} addresses (${found.join(', ')}): what one of them holds, the next connection may look for at another`
    const advice = 'One name is one server: list each by a name or an address of its own'
    return [warning('name', message, advice)]
  }
  return []
}
