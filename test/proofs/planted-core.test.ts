import { describe, expect, it } from 'vitest'
import * as sound from '../../src/core/index.ts'
import type { SessionManager } from '../../src/core/index.ts'
import type { Fault } from '../support/bundle.ts'
import { openRequest } from '../support/open-request.ts'
import { importPlanted } from '../support/planted.ts'
import { secret } from '../support/stores.ts'
import { failing, TamperedStore } from '../support/tampered-store.ts'
import { visit, visitOk } from '../support/visit.ts'

type Core = typeof sound

/** Faults that no storm meets often enough: a scene on one store makes each happen, and says what is wrong after it. */
interface Case {
  fault: Fault
  scene(core: Core): Promise<string[]>
  found: string
}

const USER = 'u1'

const cases: [string, Case][] = [
  [
    'E7: what came between is not carried over to the new token',
    {
      fault: {
        file: 'src/core/session/regenerate.ts',
        piece: 'if (newest.version !== carried)',
        replacement: 'if (false)',
      },
      async scene(core) {
        const { manager } = open(core)
        const { cookie } = await visitOk(manager, undefined, (session) => session.set('n', 0))
        const request = await openRequest(manager, cookie, async (session) => {
          await session.get('n')
          session.regenerateId()
        })
        await visitOk(manager, cookie, (session) => session.set('between', true))
        const { cookie: fresh } = await request.commit()
        const { result } = await visitOk(manager, fresh, (session) => session.get('between'))
        return result === true ? [] : ['what came between is lost']
      },
      found: 'what came between is lost',
    },
  ],
  [
    "E9: a sign-in's entry is added before its record, which fails",
    {
      fault: {
        file: 'src/core/session/regenerate.ts',
        piece: '  const session = await add(record, io)\n',
        replacement: `  if (signedIn && signedIn !== newest.signedIn) {
    const now = io.services.now()
    const label = signInOf(journal.steps)?.label
    await enlist(io, signedIn, { label, signedInAt: now, lastSeenAt: now, ...timesOf(io, record) })
  }
  const session = await add(record, io)
`,
      },
      async scene(core) {
        const { manager, store } = open(core)
        await signIn(manager, 'first')
        store.before = failing('add', 2)
        await visit(manager, undefined, (session) => session.signIn(USER, { label: 'second' }))
        return (await labels(manager))
          .filter((label) => label !== 'first')
          .map((label) => `${label} is listed`)
      },
      found: 'second is listed',
    },
  ],
  [
    'E9: the cap is applied before the old token is dead',
    {
      fault: {
        file: 'src/core/session/regenerate.ts',
        piece: '  const swapped = await endPredecessor(commit, journal, loaded, begun)\n',
        replacement: `  await settle(io, begun)
  const swapped = await endPredecessor(commit, journal, loaded, begun)
`,
      },
      async scene(core) {
        const { manager } = open(core, { maxSessionsPerUser: 1 })
        await signIn(manager, 'first')
        const { cookie } = await visitOk(manager, undefined, (session) => session.set('cart', ['rope']))
        const second = await openRequest(manager, cookie, (session) => session.signIn(USER))
        await visitOk(manager, cookie, (session) => session.destroy())
        const { error } = await second.commit()
        const isEnded = !(await labels(manager)).includes('first')
        return error && isEnded ? ['a sign-in that was refused ended another session'] : []
      },
      found: 'a sign-in that was refused ended another session',
    },
  ],
  [
    'E9: a swap whose reply was lost is tried again under the same id',
    {
      fault: {
        file: 'src/core/session/entry.ts',
        piece: 'if (isInDoubt) tried.add',
        replacement: 'if (false) tried.add',
      },
      async scene(core) {
        const { manager, store } = open(core)
        const elsewhere = core.createSessionManager({ store, secret, onEvent: () => {} })
        await signIn(manager, 'first')
        let revoked: string[] = []
        store.after = async (operation) => {
          if (operation !== 'replace') return
          store.after = () => {}
          revoked = await ids(manager)
          await elsewhere.revokeAll(USER)
          failing('replace')('replace')
        }
        await signIn(manager, 'second')
        return (await ids(manager)).filter((id) => revoked.includes(id)).map(() => 'a revoked id is back')
      },
      found: 'a revoked id is back',
    },
  ],
]

describe('A build of the core with a fault is found out', () => {
  it.each(cases)('%s', async (_, { fault, scene, found }) => {
    const [planted] = await importPlanted([fault], 'src/core/index.ts')
    expect(await scene(sound)).toEqual([])
    expect(await scene(planted as Core)).toEqual([found])
  })
})

function open(core: Core, options: sound.SessionOptions = {}) {
  const store = new TamperedStore(new core.MemoryStore())
  const manager = core.createSessionManager({ store, secret, onEvent: () => {}, ...options })
  return { manager, store }
}

async function signIn(manager: SessionManager, label: string): Promise<void> {
  await visitOk(manager, undefined, (session) => session.signIn(USER, { label }))
}

async function labels(manager: SessionManager): Promise<(string | undefined)[]> {
  return (await manager.listSessions(USER)).map(({ label }) => label)
}

async function ids(manager: SessionManager): Promise<string[]> {
  return (await manager.listSessions(USER)).map(({ id }) => id)
}
