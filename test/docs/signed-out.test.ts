import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  createSessionManager,
  MemoryStore,
  sessionEventTypes,
  type SessionEvent,
  type SessionManager,
  type SessionOptions,
} from '../../src/core/index.ts'
import { secret } from '../support/stores.ts'
import { TamperedStore } from '../support/tampered-store.ts'
import { visit, visitOk } from '../support/visit.ts'

const DAY_MS = 86_400_000
const [, table] = readFileSync('docs/events.md', 'utf8').split('\n## Why was I signed out?\n')
const rows = [...table!.split('\n## ')[0]!.matchAll(/^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/gm)]
  .slice(1)
  .map(([, cause, becomes, told]) => ({ cause: cause!, becomes: becomes!, told: told! }))

/** A visitor who is signed in as u1, and what the operator was told since. */
interface Scene {
  manager: SessionManager
  store: TamperedStore
  clock: { ms: number }
  cookie: string
  /** Where his session, and his list, are kept. */
  record: string
  mark: string
  another(options?: SessionOptions): SessionManager
  /** What he meets who comes with this cookie. */
  meets(cookie?: string, manager?: SessionManager): Promise<string>
}

/** What the visitor is in the end; events of everyday life do not count. */
const scenes: Record<string, (scene: Scene) => Promise<string>> = {
  async 'he did nothing for longer than the idle timeout'({ clock, meets }) {
    clock.ms += DAY_MS
    return meets()
  },
  async 'the absolute timeout'({ clock, meets }) {
    for (let day = 1; day <= 14; day++) {
      clock.ms += DAY_MS - 1
      expect(await meets()).toBe('signed in')
    }
    clock.ms += 14
    expect(await meets()).toBe('a stranger')
    clock.ms += DAY_MS
    return meets()
  },
  async 'he signed out, in another tab'({ manager, cookie, meets }) {
    await visitOk(manager, cookie, (session) => session.destroy())
    return meets()
  },
  async 'he signed in again, in another tab whose cookie this request does not have yet'({ manager, cookie, meets }) {
    await visitOk(manager, cookie, (session) => session.signIn('u1'))
    return meets()
  },
  async '`revoke` or `revokeAll`, by himself on another device or by you'({ manager, meets }) {
    await manager.revokeAll('u1')
    return meets()
  },
  async 'he signed in on one device more than `maxSessionsPerUser`'({ another, meets }) {
    await visitOk(another({ maxSessionsPerUser: 1 }), undefined, (session) => session.signIn('u1'))
    return meets()
  },
  async 'a server was restarted cold'(scene) {
    return loseBoth(scene)
  },
  async 'a server was flushed'(scene) {
    return loseBoth(scene)
  },
  async 'a server was restarted warm'({ store, meets }) {
    store.before = refuse
    expect(await meets()).toBe('answered 503')
    store.before = () => {}
    expect(await meets()).toBe('signed in')
    return 'answered 503'
  },
  async 'a server evicted his session'({ store, record, meets }) {
    await store.delete(record)
    return meets()
  },
  async 'a server evicted his list'({ store, mark, manager, clock, meets }) {
    await store.delete(mark)
    expect(await meets()).toBe('a stranger')
    // His other devices are told the same once he has signed in again.
    clock.ms++
    await visitOk(manager, undefined, (session) => session.signIn('u1'))
    return meets()
  },
  async 'the list of servers was changed'(scene) {
    return loseBoth(scene)
  },
  async 'this server has another secret, or no longer the one that sealed it'({ another, cookie, meets }) {
    return meets(cookie, another({ secret: OTHER_SECRET }))
  },
  async 'his list is under a secret that is no longer listed'({ another, cookie, meets }) {
    // His session was written since, under the newer secret; his list is moved by nothing.
    const both = another({ secret: [OTHER_SECRET, secret] })
    await visitOk(both, cookie, (session) => session.set('n', 1))
    return meets(cookie, another({ secret: OTHER_SECRET }))
  },
  async 'two cookies of the name, both of them live'({ manager, cookie, meets }) {
    const second = await visitOk(manager, undefined, (session) => session.set('n', 1))
    const both = `${cookie}; ${second.cookie}`
    expect(await meets(both)).toBe('a stranger')
    const healed = await visitOk(manager, both, (session) => session.signIn('u1'))
    expect(await meets(healed.cookie)).toBe('signed in')
    return 'refused'
  },
  async 'the cookie of his sign-in was to be sent too late'({ manager, meets }) {
    const late = { canSetHeaders: () => false }
    const { cookie } = await visit(manager, undefined, (session) => session.signIn('u1'), {}, late)
    return meets(cookie)
  },
  async 'the Secure cookie of his sign-in went out over plain http'({ manager, meets }) {
    await visit(manager, undefined, (session) => session.signIn('u1'), { url: 'http://shop.example/' })
    return meets('')
  },
  async 'his Cookie header is longer than 16 KiB'({ cookie, meets }) {
    return meets(`other=${'x'.repeat(16_384)}; ${cookie}`)
  },
  async 'the store is down'({ store, meets }) {
    store.before = refuse
    expect(await meets()).toBe('answered 503')
    store.before = () => {}
    expect(await meets()).toBe('signed in')
    return 'answered 503'
  },
  async 'his browser has no cookie any more: it was closed (`persistent: false`), cleared, or the cookie\'s age ran out'({ meets }) {
    return meets('')
  },
} // prettier-ignore

const OTHER_SECRET = secret.split('').toReversed().join('')
const EVERYDAY: ReadonlySet<string> = new Set([
  'created',
  'loaded',
  'saved',
  'signed-in',
  'regenerated',
  'destroyed',
])

describe('docs/events.md, "Why was I signed out?"', () => {
  it('K4: has a scene for every row', () => {
    expect(rows.map(({ cause }) => cause)).toEqual(Object.keys(scenes))
  })

  it.each(rows)('K4: $cause: $becomes: $told', async ({ cause, becomes, told }) => {
    const events: SessionEvent[] = []
    const scene = await begin(events)
    expect(becomes).toMatch(new RegExp(`^${await scenes[cause]!(scene)}`))
    const named = [...told.matchAll(/`([\w-]+)`/g)].map(([, name]) => name!)
    const happened = events.filter(({ type }) => !EVERYDAY.has(type))
    // What is told of servers is compared with what real ones did, in ../signed-out.test.ts.
    const [ofServers, ofVisitor] = [true, false].map((is) =>
      named.filter((name) => name.startsWith('server-') === is),
    )
    for (const name of ofServers!) expect(sessionEventTypes).toContain(name)
    expect(new Set(happened.flatMap(({ type, reason = type }) => [type, reason]))).toEqual(new Set(ofVisitor))
  })
})

async function begin(events: SessionEvent[]): Promise<Scene> {
  const clock = { ms: Date.now() }
  const now = () => clock.ms
  const store = new TamperedStore(new MemoryStore({ now }))
  const onEvent = (event: SessionEvent) => events.push(event)
  const another = (options: SessionOptions = {}) =>
    createSessionManager({ store, secret, now, onEvent, ...options })
  const manager = another()
  const { cookie } = await visitOk(manager, undefined, (session) => session.signIn('u1'))
  const [record, mark] = store.keys
  store.forget()
  events.length = 0
  const meets: Scene['meets'] = async (presented = cookie, at = manager) => {
    try {
      return (await at.open(presented).userId()) === 'u1' ? 'signed in' : 'a stranger'
    } catch (error) {
      return `answered ${(error as { status: number }).status}`
    }
  }
  return { manager, store, clock, cookie, record: record!, mark: mark!, another, meets }
}

/** First the list, on one server, then the session, on another. */
async function loseBoth({ store, record, mark, meets }: Scene): Promise<string> {
  await store.delete(mark)
  expect(await meets()).toBe('a stranger')
  await store.delete(record)
  return meets()
}

function refuse(): never {
  throw new Error('connect ECONNREFUSED 10.0.0.1:11200')
}
