import { KEY_LENGTH } from '../core/stores/memcached/settings.ts'
import { firstOfEach, ok, skipped, warning, type Finding, type Reading } from './finding.ts'

/** Measured with 1.6.18: what an item takes besides its key and its value. */
const ITEM_OVERHEAD_BYTES = 59

/** What is found in how the server was started; what matters most comes first. */
export function findingsAtStart({ settings, keyPrefix, maxBytes }: Reading): Finding[] {
  const [itemSize, interfaces, udp] = ['item_size_max', 'inter', 'udpport'].map((name) => settings.get(name))
  const largest = Number(itemSize) - ITEM_OVERHEAD_BYTES - KEY_LENGTH - keyPrefix.length
  // Without -l it says NULL.
  const listeners = interfaces === 'NULL' ? ['every address'] : (interfaces ?? '').split(',')
  const isSecured = settings.get('ssl_enabled') === 'yes'
  // `-l notls:10.0.0.1` is one listener without TLS among others.
  const isPlain = (listener: string) => !isSecured || listener.startsWith('notls:')
  const open = listeners.filter((listener) => !isLoopback(listener) && isPlain(listener))
  const hasUsers = settings.get('auth_enabled_sasl') === 'yes'
  const risk = hasUsers ? 'the password can be read on the way' : 'whoever reaches it can end every session'
  return firstOfEach([
    [settings.size === 0, skipped('settings', 'does not tell its settings: -M, -I, the network and UDP were not looked at')],
    [settings.get('evictions') === 'off', warning('evictions-off', 'evicts nothing (-M): once it is full every write fails with "out of memory" (503), and nobody can sign in', 'Start it without -M (--disable-evictions), or watch its memory closely')],
    [largest >= maxBytes, ok('item-size', `takes sessions of ${maxBytes} bytes (maxBytes)`)],
    [itemSize !== undefined, warning('item-size', `takes sessions of ${largest} bytes at most (-I), but maxBytes is ${maxBytes}: larger ones fail as an outage (503)`, `Start it with -I 1m, the default, or more; or set maxBytes to ${largest} or less`)],
    [interfaces !== undefined && open.length === 0, ok('network', isSecured ? 'listens with TLS' : 'listens on the loopback alone')],
    [interfaces !== undefined, warning('network', `listens on ${open.join(', ')} without TLS: ${risk}`, 'Use -l 127.0.0.1; between hosts TLS (-Z, memcacheds://) or a private network')],
    [udp === '0', ok('udp', 'does not listen on UDP')],
    [udp !== undefined, warning('udp', 'listens on UDP: anybody can forge packets to it, and have it flood others with answers', 'Start it with -U 0; sessions need no UDP')],
  ]) // prettier-ignore
}

export function isLoopback(listener: string): boolean {
  return /^(notls:)?(127\.|localhost\b|\[?::1\b)/.test(listener)
}
