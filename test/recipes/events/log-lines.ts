import { AsyncLocalStorage } from 'node:async_hooks'
import type { SessionEvent, SessionEventType } from 'holdfast'

/** Filled by a middleware of yours: `requests.run({ id }, next)`. */
export const requests: AsyncLocalStorage<{ id: string }> = new AsyncLocalStorage()

const levels: Partial<Record<SessionEventType, string>> = {
  loaded: 'debug',
  'store-error': 'error',
  invalid: 'warn',
  missing: 'warn',
  'duplicate-cookie': 'warn',
  'cookie-lost': 'warn',
  'insecure-cookie': 'warn',
  'cookie-header-too-long': 'warn',
  'cache-overridden': 'warn',
  'server-down': 'error',
  'server-restarted': 'error',
  'server-flushed': 'error',
  'server-evicting': 'warn',
}

export function logTo(write: (line: string) => void) {
  return ({ type, at, durationMs, roundTrips, reason, server, count, error }: SessionEvent): void => {
    const line = {
      time: new Date(at).toISOString(),
      level: levels[type] ?? 'info',
      event: `session ${type}`,
      request: requests.getStore()?.id,
      ms: durationMs && Number(durationMs.toFixed(2)),
      roundTrips,
      reason,
      server,
      count,
      error: error instanceof Error ? [error.message, error.cause].filter(Boolean).join(': ') : undefined,
    }
    write(`${JSON.stringify(line)}\n`)
  }
}
