import { lookup } from 'node:dns/promises'
import { warning, type Finding } from './finding.ts'

/** L5, of a name that answered: what it stands for. */
export async function lookUpName(host: string): Promise<Finding[]> {
  return findingsOfName(await lookup(host, { all: true }).catch(() => []))
}

/** A server may have an address of each family; several of one are taken for several servers. */
export function findingsOfName(addresses: readonly { address: string; family: number }[]): Finding[] {
  for (const version of [4, 6]) {
    const ofVersion = addresses.filter(({ family }) => family === version)
    const found = [...new Set(ofVersion.map(({ address }) => address))]
    const message = `has a name that stands for ${found.length} addresses (${found.join(', ')}): what one of them holds, the next connection may look for at another`
    const advice = 'One name is one server: list each by a name or an address of its own'
    if (found.length > 1) return [warning('name', message, advice)]
  }
  return []
}
