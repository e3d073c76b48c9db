import type { SessionEvent } from 'holdfast'
import { Counter, Histogram, Registry } from 'prom-client'

export const registry = new Registry()

const labelNames = ['type'] as const
const registers = [registry]
const events = new Counter({
  name: 'holdfast_events_total',
  help: 'What happened to sessions',
  labelNames,
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

export function count(event: SessionEvent): void {
  const { type } = event
  events.inc({ type })
  if (event.durationMs !== undefined) duration.observe({ type }, event.durationMs / 1000)
  if (event.roundTrips !== undefined) roundTrips.observe({ type }, event.roundTrips)
}
