import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  createSessionManager,
  MemoryStore,
  SessionDataError,
  StoreUnavailableError,
  type SessionStore,
  type StoreNotice,
} from '../../src/core/index.ts'
import { isWarning, warningOf } from '../../src/core/warnings.ts'
import { watchConsole, type ConsoleWatch } from '../support/console-watch.ts'
import { secret } from '../support/stores.ts'
import { TamperedStore } from '../support/tampered-store.ts'
import { visit } from '../support/visit.ts'

const MINUTE_MS = 60_000
const SERVER = '10.0.0.1:11200'

let watch: ConsoleWatch
/** Far from that of the test before: a minute is one of the whole process. */
let ms = Date.now()
const now = () => ms
beforeEach(() => {
  ms += 100 * MINUTE_MS
  vi.stubEnv('NODE_ENV', 'development')
  watch = watchConsole()
})
afterEach(() => {
  watch.stop()
  vi.unstubAllEnvs()
})

/** What was said since; once from each of console and stream, so every line once. */
function said(): string[] {
  const lines = watch
    .stop()
    .split('\n')
    .filter((line) => line !== '')
  watch = watchConsole()
  return [...new Set(lines)]
}

/** A manager whose store fails with this. */
function failingWith(cause: unknown) {
  const store = new TamperedStore(new MemoryStore())
  store.before = () => {
    throw cause
  }
  const manager = createSessionManager({ store, secret, now })
  return () =>
    manager
      .open(`__Host-session=${'t'.repeat(43)}`)
      .exists()
      .catch(() => {})
}

/** Managers of the options on a store that says what the returned function is given. */
function watched(...options: object[]): (notice: StoreNotice) => void {
  const listeners: ((notice: StoreNotice) => void)[] = []
  const store: SessionStore = Object.assign(new TamperedStore(new MemoryStore()), {
    watch: (listener: (notice: StoreNotice) => void) => void listeners.push(listener),
  })
  for (const each of options) createSessionManager({ store, secret, now, ...each })
  return (notice) => listeners.forEach((listener) => listener(notice))
}

function refuse(): never {
  throw new Error('why')
}

describe('without onEvent', () => {
  it('K2: a kind is said at most once a minute, with a count of what went unsaid', async () => {
    const fail = failingWith(new Error('connect ECONNREFUSED 10.0.0.1:11200'))
    const line = 'holdfast: the session store did not answer (get): connect ECONNREFUSED 10.0.0.1:11200; who needs his session meanwhile is answered 503'
    await fail()
    expect(said()).toEqual([line])
    for (let second = 1; second < 60; second++) {
      ms += 1000
      await fail()
    }
    expect(said()).toEqual([])
    ms += 1000
    await fail()
    expect(said()).toEqual([`${line} (and 59 more like it before)`])
    ms += MINUTE_MS
    await fail()
    expect(said()).toEqual([line])
  }) // prettier-ignore

  it('K2: the minute is the process’s, not the manager’s', async () => {
    await failingWith(new Error('one'))()
    await failingWith(new Error('another'))()
    expect(said()).toHaveLength(1)
  })

  it('K2: each type, and each server, is a kind of its own', () => {
    const tell = watched({})
    tell({ type: 'server-down', server: SERVER, error: new Error('ECONNRESET') })
    tell({ type: 'server-down', server: '10.0.0.2:11200', error: new Error('ECONNRESET') })
    tell({ type: 'server-up', server: SERVER })
    tell({ type: 'server-up', server: SERVER })
    expect(said()).toEqual([
      `holdfast: the store's server ${SERVER} is down (ECONNRESET): sessions on it are answered 503 until it answers`,
      `holdfast: the store's server 10.0.0.2:11200 is down (ECONNRESET): sessions on it are answered 503 until it answers`,
      `holdfast: the store's server ${SERVER} answers again`,
    ])
  })

  it('K2: of managers that share a store, the first says what it tells', () => {
    const tell = watched({}, {}, {})
    tell({ type: 'server-restarted', server: SERVER })
    ms += 2 * MINUTE_MS
    tell({ type: 'server-restarted', server: SERVER })
    expect(said()).toEqual([expect.stringMatching(/sign in again$/)])
  })

  it('K2, F6: a store whose watch fails, now or later, costs nobody a session', async () => {
    for (const watch of [() => Promise.reject(new Error('why')), refuse]) {
      const store = Object.assign(new TamperedStore(new MemoryStore()), { watch })
      const manager = createSessionManager({ store, secret, now })
      const { error } = await visit(manager, undefined, (session) => session.set('n', 1))
      expect(error).toBeUndefined()
    }
    const watch = true as unknown as () => void
    const store = Object.assign(new TamperedStore(new MemoryStore()), { watch })
    expect(() => createSessionManager({ store, secret })).toThrow('store.watch: expected a function, got')
  })

  it('K2: what a server that is down is not asked is not said again, whatever copy the store is of', async () => {
    for (const wrap of [
      (cause: unknown) => new StoreUnavailableError('get', cause),
      (cause: unknown) => new Error('of another copy', { cause }),
    ]) {
      const store = Object.assign(new TamperedStore(new MemoryStore()), { watch() {} })
      store.before = () => {
        throw wrap(Object.assign(new Error('the breaker is open'), { code: 'ERR_BREAKER_OPEN' }))
      }
      const manager = createSessionManager({ store, secret, now })
      const { error } = await visit(manager, undefined, (session) => session.set('n', 1))
      expect(error).toBeInstanceOf(StoreUnavailableError)
    }
    expect(said()).toEqual([])
  })

  it('K2: a record that a store refuses is nothing of a list', async () => {
    const store = new TamperedStore(new MemoryStore())
    store.before = () => {
      throw new SessionDataError('ERR_SESSION_TOO_LARGE', 'the record has 2000 bytes, more than 1000')
    }
    const manager = createSessionManager({ store, secret, now })
    await visit(manager, undefined, (session) => session.set('n', 1))
    expect(said()).toEqual([
      expect.stringMatching(/^holdfast: a store operation failed: the record has 2000 bytes/),
    ])
  })

  it('K2: a server that is down again within the minute is said to be: that it answers is not the last word', () => {
    const tell = watched({})
    for (const type of ['server-down', 'server-up', 'server-down', 'server-up', 'server-down'] as const) {
      ms += 5000
      tell({ type, server: SERVER, error: new Error(`at ${ms}`) })
    }
    expect(said().map((line) => / (is down|answers again)/.exec(line)?.[1])).toEqual([
      'is down', 'answers again', 'is down',
    ]) // prettier-ignore
  })

  it('K2: a clock that is set back silences nothing for longer than a minute', () => {
    const tell = watched({})
    tell({ type: 'server-up', server: SERVER })
    ms -= 30 * MINUTE_MS
    tell({ type: 'server-up', server: SERVER })
    expect(watch.stop().match(/answers again/g)!.length).toBeGreaterThanOrEqual(2)
    ms += 30 * MINUTE_MS
  })

  it('K2: an onEvent is the only place; undefined is none', () => {
    const tell = watched({ onEvent: () => {} })
    tell({ type: 'server-flushed', server: SERVER })
    expect(said()).toEqual([])
    watched({ onEvent: undefined })({ type: 'server-flushed', server: SERVER })
    expect(said()).toHaveLength(1)
  })

  it('K2: under NODE_ENV=test nothing is said, nor counted, and it is asked late', () => {
    const tell = watched({})
    vi.stubEnv('NODE_ENV', 'test')
    tell({ type: 'server-evicting', server: SERVER, count: 1 })
    expect(said()).toEqual([])
    vi.stubEnv('NODE_ENV', 'production')
    tell({ type: 'server-evicting', server: SERVER, count: 2 })
    expect(said()).toEqual([expect.stringMatching(/2 records since its start: .*maxRecords$/)])
  })

  it('K2: where there is no process it is said all the same', () => {
    const tell = watched({})
    vi.stubGlobal('process', undefined)
    try {
      tell({ type: 'server-restarted', server: SERVER })
    } finally {
      vi.unstubAllGlobals()
    }
    expect(said()).toHaveLength(1)
  })

  it('K2, F6: a console that fails costs nobody a session', async () => {
    const broken = vi.spyOn(console, 'warn').mockImplementation(() => {
      throw new Error('EPIPE')
    })
    const store = new TamperedStore(new MemoryStore())
    const manager = createSessionManager({ store, secret, now })
    const { error } = await visit(manager, undefined, (session) => session.signIn('u1'), {
      url: 'http://shop.example/',
    })
    expect(broken).toHaveBeenCalledOnce()
    broken.mockRestore()
    expect(error).toBeUndefined()
  })

  it.each<[string, unknown, string]>([
    ['a key', new Error(`GET session:${'k'.repeat(43)} failed`), 'GET session:… failed'],
    ['a key behind a prefix of letters', new Error(`no sess_${'k'.repeat(43)}`), 'no …'],
    ['a password', new Error('no redis://u1:p@ss:w@10.0.0.1:6379/0'), 'no redis://…@10.0.0.1:6379/0'],
    ['a line', new Error('a\nERROR forged'), 'a\\u000aERROR forged'],
    ['no message but a code', new AggregateError([], ''), 'AggregateError'],
    ['an inner cause', new Error('lost', { cause: new Error('ECONNRESET') }), 'lost: ECONNRESET'],
  ])('K2, S57: of a foreign store’s error, %s is shown as it may be', (_, cause, shown) => {
    watched({})({ type: 'server-down', server: SERVER, error: cause })
    expect(said()[0]).toContain(` is down (${shown}): `)
  })

  it('S57: a cause that quotes itself, is endless or no error at all is said in one line', () => {
    const circle = new Error('round')
    circle.cause = circle
    const lineOf = (error: unknown) => warningOf({ type: 'server-down', at: 0, server: SERVER, error })
    expect(lineOf(circle)).toContain('(round: round: round)')
    expect(lineOf(new Error('x'.repeat(30).concat(' ').repeat(1000))).length).toBeLessThan(400)
    for (const none of [undefined, null, 'u1', { user: 'u1' }]) {
      expect(lineOf(none)).toContain('(no reason was given)')
    }
  })

  it('K2: is worded as docs/events.md shows it', () => {
    const error = new Error('connect ECONNREFUSED 10.0.0.1:11200')
    const line = warningOf({ type: 'server-down', at: 0, server: SERVER, error })
    expect(readFileSync('docs/events.md', 'utf8')).toContain(`\n${line}\n`)
  })

  it('K2: most events are nobody’s concern', () => {
    expect(isWarning('loaded') || isWarning('unknown') || isWarning('conflict')).toBe(false)
  })
})

describe('a MemoryStore', () => {
  const TOLD = [
    expect.stringMatching(/^holdfast: sessions are kept in the memory of this process \(MemoryStore\): /),
  ]

  /** The package anew: what is said once a process has not been said. */
  async function fresh() {
    vi.resetModules()
    return import('../../src/core/index.ts')
  }

  it.each([
    ['under NODE_ENV=production', { NODE_ENV: 'production' }],
    ['in a process of pm2', { NODE_APP_INSTANCE: '0' }],
  ])('K2: %s is told once a process, by the first session that is opened', async (_, environment) => {
    const core = await fresh()
    const managers = [
      core.createSessionManager(),
      core.createSessionManager({ store: new core.MemoryStore() }),
    ]
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
    expect(said()).toEqual([])
    managers[0]!.open(undefined)
    expect(said()).toEqual(TOLD)
    managers[0]!.open(undefined)
    managers[1]!.open(undefined)
    expect(said()).toEqual([])
  })

  it.each<[string, Record<string, string>, object?]>([
    ['in development', {}],
    ['under NODE_ENV=test', { NODE_ENV: 'test', NODE_APP_INSTANCE: '1' }],
    ['with an onEvent', { NODE_ENV: 'production' }, { onEvent: () => {} }],
    [
      'where it is another store',
      { NODE_ENV: 'production' },
      { store: new TamperedStore(new MemoryStore()), secret },
    ],
  ])('K2: %s is not told', async (_, environment, options = {}) => {
    const core = await fresh()
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
    core.createSessionManager(options).open(undefined)
    expect(said()).toEqual([])
  })

  it('K2: where there is no process is not told', async () => {
    const core = await fresh()
    const manager = core.createSessionManager()
    vi.stubEnv('NODE_ENV', 'production')
    vi.stubGlobal('process', undefined)
    try {
      manager.open(undefined)
    } finally {
      vi.unstubAllGlobals()
    }
    expect(said()).toEqual([])
  })
})
