import { readFileSync } from 'node:fs'
import { context, metrics, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createSessionManager,
  sessionEventTypes,
  type SessionEvent,
  type SessionManager,
  type SessionStore,
  type StoreNotice,
} from 'holdfast'
import { openMemcachedStore, secret } from '../support/stores.ts'
import { failing, TamperedStore } from '../support/tampered-store.ts'
import { tokenOf, visit, visitOk } from '../support/visit.ts'
import { logTo, requests } from './events/log-lines.ts'
import { count, registry } from './events/prometheus.ts'

const guide = readFileSync('docs/events.md', 'utf8')

describe('docs/events.md', () => {
  it('tells of every type of event', () => {
    const told = [...guide.matchAll(/^\| `([\w-]+)` \|/gm)].map(([, type]) => type!)
    expect(told.toSorted()).toEqual([...sessionEventTypes].toSorted())
  })
})

describe('onEvent', () => {
  const open = openMemcachedStore()
  const lines: string[] = []
  const seen: SessionEvent[] = []
  const secrets = new Set<string>()
  const server = '10.0.0.1:11200'
  let tell: (notice: StoreNotice) => void = () => {}
  const spans = new InMemorySpanExporter()
  const measured = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter: measured, exportIntervalMillis: 3_600_000 })

  /** One visitor's story: signs in, shops, meets an outage, another tab, and signs out. */
  async function live(manager: SessionManager, store: TamperedStore) {
    const remember = (cookie: string) => {
      secrets.add(tokenOf(cookie))
      return cookie
    }
    const { cookie: anonymous } = await visitOk(manager, undefined, (session) =>
      session.set('cart', ['a rope']),
    )
    remember(anonymous)
    const { cookie } = await visitOk(manager, anonymous, async (session) => {
      await session.get('cart')
      session.signIn('ursula')
      session.set('user', 'ursula')
    })
    remember(cookie)
    await visitOk(manager, cookie, async (session) => {
      await session.get('user')
      await visitOk(manager, cookie, (other) => other.set('tab', 'the other'))
      session.set('tab', 'this one')
    })
    await visit(manager, cookie, (session) => session.set('user', 'nobody'), { status: 500 })
    store.before = failing('get')
    await visit(manager, cookie, (session) => session.get('user').catch(() => {}))
    await visitOk(manager, cookie, (session) => session.destroy())
    await visitOk(manager, cookie, (session) => session.get('user'))
    tell({ type: 'server-down', server, error: new Error('connect ECONNREFUSED') })
  }

  beforeAll(async () => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    trace.setGlobalTracerProvider(
      new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }),
    )
    metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }))
    // The tracer and the meter are asked for when it is loaded.
    const { observe } = await import('./events/open-telemetry.ts')
    const log = logTo((line) => lines.push(line))
    const store: TamperedStore & SessionStore = Object.assign(new TamperedStore(open.current), {
      watch(listener: (notice: StoreNotice) => void) {
        tell = listener
      },
    })
    const manager = createSessionManager({
      store,
      secret,
      onEvent(event) {
        seen.push(event)
        log(event)
        count(event)
        observe(event)
      },
    })
    await trace.getTracer('test').startActiveSpan('GET /', async (request) => {
      await requests.run({ id: 'request-1' }, () => live(manager, store))
      request.end()
    })
    for (const key of store.keys) secrets.add(key)
    await reader.forceFlush()
  })
  afterAll(async () => {
    await reader.shutdown()
    context.disable()
    trace.disable()
    metrics.disable()
  })

  const countOf = (type: string) => seen.filter((event) => event.type === type).length
  const STORY = [
    'created',
    'loaded',
    'signed-in',
    'saved',
    'conflict',
    'dropped',
    'store-error',
    'destroyed',
    'ended',
    'server-down',
  ]

  it('is told the whole story', () => {
    expect(new Set(seen.map(({ type }) => type))).toEqual(new Set(STORY))
  })

  it('writes a line of JSON for every event, with the request that it belongs to', () => {
    const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(parsed).toHaveLength(seen.length)
    for (const line of parsed) expect(line['request']).toBe('request-1')
    const [created] = parsed
    expect(created).toMatchObject({
      level: 'info',
      event: 'session created',
      ms: expect.any(Number),
      roundTrips: 1,
    })
    const shown = JSON.parse(/```text\n(\{.*)\n```/.exec(guide)![1]!)
    const loaded = parsed.find(({ event }) => event === 'session loaded')!
    expect(Object.keys(loaded)).toEqual(Object.keys(shown))
    expect([loaded['level'], loaded['event'], loaded['roundTrips']]).toEqual(['debug', 'session loaded', 1])
    expect([shown.level, shown.event, shown.roundTrips]).toEqual(['debug', 'session loaded', 1])
    const failed = parsed.find(({ level }) => level === 'error')
    expect(failed!['error']).toBe('the session store did not answer (get): Error: tampered with')
    expect(parsed.find(({ event }) => event === 'session ended')!['reason']).toBe('signed-out')
    expect(parsed.find(({ event }) => event === 'session server-down')).toMatchObject({
      level: 'error',
      server,
    })
  })

  it('counts for Prometheus, with time and round trips of every load and save', async () => {
    const text = await registry.metrics()
    for (const type of STORY) expect(text).toContain(`holdfast_events_total{type="${type}"} ${countOf(type)}`)
    for (const type of ['created', 'loaded', 'saved', 'signed-in', 'destroyed']) {
      expect(text).toContain(`holdfast_duration_seconds_count{type="${type}"} ${countOf(type)}`)
      expect(text).toContain(`holdfast_round_trips_count{type="${type}"} ${countOf(type)}`)
    }
    expect(text).toContain('holdfast_round_trips_bucket{le="1",type="created"} 1')
    for (const type of sessionEventTypes) {
      expect(text).toContain(`holdfast_events_total{type="${type}"} ${countOf(type)}`)
    }
    expect(text).toContain('holdfast_ended_total{reason="signed-out"} 1')
    expect(text).toContain('holdfast_ended_total{reason="mark-lost"} 0')
    expect(text).toContain(`holdfast_server_down{server="${server}"} 1`)
    tell({ type: 'server-up', server })
    expect(await registry.metrics()).toContain(`holdfast_server_down{server="${server}"} 0`)
    seen.pop()
    lines.pop()
  })

  it('has alerts for what it counts, each with what to do, and each tried', async () => {
    const rules = readFileSync('test/recipes/events/alerts.yaml', 'utf8').split('- alert: ').slice(1)
    const text = await registry.metrics()
    const tried = readFileSync('test/package/alerts.yaml', 'utf8')
    expect(rules.length).toBeGreaterThan(10)
    for (const rule of rules) {
      const name = rule.split('\n')[0]
      expect(rule).toMatch(/summary: .+\n +description: .+\.\n/)
      const series = [...rule.matchAll(/(holdfast_\w+)(?:\{(\w+)=~?"([^"]+)"\})?/g)]
      expect(series.length, name).toBeGreaterThan(0)
      for (const [, metric, label, values] of series) {
        for (const value of values?.split('|') ?? [''])
          expect(text, name).toMatch(
            new RegExp(label ? `^${metric}\\{.*${label}="${value}"` : `^${metric}\\{`, 'm'),
          )
      }
      // `npm run test:package` has promtool try them.
      expect(tried).toContain(`labels: '{alertname="${name}"}'`)
    }
  })

  it('makes spans of the loads and saves of a request, as its children', () => {
    const finished = spans.getFinishedSpans()
    const request = finished.find(({ name }) => name === 'GET /')!
    const ours = finished.filter((span) => span !== request)
    expect(ours.map(({ name }) => name)).toEqual(
      seen.filter(({ durationMs, error }) => durationMs ?? error).map(({ type }) => `session ${type}`),
    )
    for (const span of ours) expect(span.parentSpanContext?.spanId).toBe(request.spanContext().spanId)
    const created = ours.find(({ name }) => name === 'session created')!
    const [seconds, nanoseconds] = created.duration
    const event = seen.find(({ type }) => type === 'created')!
    expect(Math.abs(seconds * 1000 + nanoseconds / 1e6 - event.durationMs!)).toBeLessThan(1)
    expect(created.attributes).toEqual({ 'holdfast.event': 'created', 'holdfast.round_trips': 1 })
    expect(request.events.map(({ name }) => name)).toContain('session conflict')
    const failed = ours.find(({ name }) => name === 'session store-error')!
    expect(failed.status.message).toBe('the session store did not answer (get)')
    expect(ours.find(({ name }) => name === 'session ended')!.attributes['holdfast.reason']).toBe(
      'signed-out',
    )
    expect(ours.find(({ name }) => name === 'session server-down')!.attributes['holdfast.server']).toBe(
      server,
    )
  })

  it('gives OpenTelemetry the same figures', () => {
    const [resource] = measured.getMetrics()
    const points = (name: string) =>
      resource!.scopeMetrics
        .flatMap((scope) => scope.metrics)
        .find(({ descriptor }) => descriptor.name === name)!
        .dataPoints.map(({ attributes, value }) => [attributes['holdfast.event'], value])
    expect(points('holdfast.events').toSorted()).toEqual(
      STORY.map((type) => [type, countOf(type)]).toSorted(),
    )
    const counts = points('holdfast.duration').map(([type, value]) => [
      type,
      (value as { count: number }).count,
    ])
    expect(Object.fromEntries(counts)).toMatchObject({ loaded: countOf('loaded'), saved: countOf('saved') })
  })

  it('B5: nothing that leaves holds a token, a key or data', async () => {
    const exported = spans.getFinishedSpans().map(({ name, attributes, events, status }) => {
      return { name, attributes, events, status }
    })
    const all = [
      ...lines,
      await registry.metrics(),
      JSON.stringify(exported),
      JSON.stringify(measured.getMetrics()),
    ]
    expect(secrets.size).toBeGreaterThan(3)
    for (const output of all) {
      for (const secret of [...secrets, 'ursula', 'a rope']) expect(output).not.toContain(secret)
    }
  })
})
