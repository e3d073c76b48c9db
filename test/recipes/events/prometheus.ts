import { sessionEventTypes, type EndReason, type SessionEvent } from 'holdfast'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'

export const registry = new Registry()

const labelNames = ['type'] as const
const registers = [registry]
const events = new Counter({
  name: 'holdfast_events_total',
  help: 'What happened to sessions',
  labelNames,
  registers,
})
const ended = new Counter({
  name: 'holdfast_ended_total',
  help: 'Cookies of sessions that were ended, by reason',
  labelNames: ['reason'],
  registers,
})
const down = new Gauge({
  name: 'holdfast_server_down',
  help: 'Whether a server of the store is down',
  labelNames: ['server'],
  registers,
})
const duration = new Histogram({
  name: 'holdfast_duration_seconds',
  help: 'Time that a load or a commit took',
  labelNames,
  registers,
  buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.6],
})
const roundTrips = new Histogram({
  name: 'holdfast_round_trips',
  help: 'Store operations that a load or a commit took',
  labelNames,
  registers,
  buckets: [1, 2, 3, 5, 10, 20],
})

// What begins with the first event, at 1, has not risen yet for Prometheus.
for (const type of sessionEventTypes) events.inc({ type }, 0)
const reasons: EndReason[] = ['signed-out', 'regenerated', 'revoked', 'mark-lost']
for (const reason of reasons) ended.inc({ reason }, 0)

export function count(event: SessionEvent): void {
  const { type, reason, server } = event
  events.inc({ type })
  if (reason) ended.inc({ reason })
  if (server && type === 'server-down') down.set({ server }, 1)
  if (server && type === 'server-up') down.set({ server }, 0)
  if (event.durationMs !== undefined) duration.observe({ type }, event.durationMs / 1000)
  if (event.roundTrips !== undefined) roundTrips.observe({ type }, event.roundTrips)
}
