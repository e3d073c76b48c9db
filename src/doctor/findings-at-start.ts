import { KEY_LENGTH } from '../core/stores/memcached/settings.ts'
import { ok, skipped, warning, type Finding, type Reading } from './finding.ts'

/** What is found in how the server was started; what matters most comes first. */
export function findingsAtStart(reading: Omit<Reading, 'canary' | 'keys'>): Finding[] {
  const { settings } = reading
  if (settings.size === 0) {
    return [skipped('settings', 'does not tell its settings: -M, -I, the network and UDP were not looked at')]
  }
  return [
    checkEvictionsOff(reading),
    checkItemSize(reading),
    checkNetwork(reading),
    checkUdp(reading),
  ].filter((finding) => finding !== undefined)
}

type Started = Pick<Reading, 'settings' | 'keyPrefix' | 'maxBytes'>

function checkEvictionsOff({ settings }: Started): Finding | undefined {
  if (settings.get('evictions') !== 'off') return undefined
  return warning(
    'evictions-off',
    'evicts nothing (-M): once it is full every write fails with "out of memory" (503), and nobody can sign in',
    'Start it without -M (--disable-evictions), or watch its memory closely',
  )
}

/** Measured with 1.6.18: what an item takes besides its key and its value. */
const ITEM_OVERHEAD_BYTES = 59

function checkItemSize({ settings, keyPrefix, maxBytes }: Started): Finding | undefined {
  const itemSize = settings.get('item_size_max')
  if (itemSize === undefined) return undefined
  const largest = Number(itemSize) - ITEM_OVERHEAD_BYTES - KEY_LENGTH - keyPrefix.length
  if (largest >= maxBytes) return ok('item-size', `takes sessions of ${maxBytes} bytes (maxBytes)`)
  return warning(
    'item-size',
    `takes sessions of ${largest} bytes at most (-I), but maxBytes is ${maxBytes}: larger ones fail as an outage (503)`,
    `Start it with -I 1m, the default, or more; or set maxBytes to ${largest} or less`,
  )
}

function checkNetwork({ settings }: Started): Finding | undefined {
  const interfaces = settings.get('inter')
  if (interfaces === undefined) return undefined
  // Without -l it says NULL.
  const listeners = interfaces === 'NULL' ? ['every address'] : interfaces.split(',')
  const isSecured = settings.get('ssl_enabled') === 'yes'
  const open = listeners.filter((listener) => !isLoopback(listener) && !(isSecured && !isExempt(listener)))
  if (open.length === 0) {
    return ok('network', isSecured ? 'listens with TLS' : 'listens on the loopback alone')
  }
  const risk =
    settings.get('auth_enabled_sasl') === 'yes'
      ? 'the password can be read on the way'
      : 'whoever reaches it can end every session'
  return warning(
    'network',
    `listens on ${open.join(', ')} without TLS: ${risk}`,
    'Use -l 127.0.0.1; between hosts TLS (-Z, memcacheds://) or a private network',
  )
}

/** `-l notls:10.0.0.1`: one listener without TLS among others. */
function isExempt(listener: string): boolean {
  return listener.startsWith('notls:')
}

export function isLoopback(listener: string): boolean {
  return /^(notls:)?(127\.|localhost\b|\[?::1\b)/.test(listener)
}

function checkUdp({ settings }: Started): Finding | undefined {
  const port = settings.get('udpport')
  if (port === undefined) return undefined
  if (port === '0') return ok('udp', 'does not listen on UDP')
  return warning(
    'udp',
    'listens on UDP: anybody can forge packets to it, and have it flood others with answers',
    'Start it with -U 0; sessions need no UDP',
  )
}
