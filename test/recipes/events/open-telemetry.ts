import { metrics, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { SessionEvent } from 'holdfast'

const tracer = trace.getTracer('holdfast')
const meter = metrics.getMeter('holdfast')
const events = meter.createCounter('holdfast.events')
const duration = meter.createHistogram('holdfast.duration', { unit: 's' })
const roundTrips = meter.createHistogram('holdfast.round_trips', { unit: '{operation}' })

export function observe(event: SessionEvent): void {
  const { type, at, durationMs, reason, server, error } = event
  const attributes = {
    'holdfast.event': type,
    ...(reason && { 'holdfast.reason': reason }),
    ...(server && { 'holdfast.server': server }),
  }
  events.add(1, attributes)
  if (durationMs !== undefined) duration.record(durationMs / 1000, attributes)
  if (event.roundTrips !== undefined) roundTrips.record(event.roundTrips, attributes)

  if (durationMs === undefined && error === undefined) {
    trace.getActiveSpan()?.addEvent(`session ${type}`, attributes, at)
    return
  }
  // An event comes when its work is done, in the context of its request: the span becomes that one's child.
  const span = tracer.startSpan(`session ${type}`, {
    kind: SpanKind.CLIENT,
    startTime: at - (durationMs ?? 0),
    attributes: { ...attributes, 'holdfast.round_trips': event.roundTrips },
  })
  if (error instanceof Error) {
    span.recordException(error, at)
    span.setStatus({ code: SpanStatusCode.ERROR, message: error.message })
  }
  span.end(at)
}
