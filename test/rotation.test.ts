import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createSessionManager, type SessionManager } from '../src/core/index.ts'
import { adapters, tellEvent, type App, type Route } from './support/apps.ts'
import { visitorOf, type Visitor } from './support/browser.ts'
import { ResponseRules } from './support/response-rules.ts'
import { kinds, type StoreServer } from './support/store-servers.ts'

const OLDER = 'the secret that every server has begun with'
const NEWER = 'the secret that is to take the place of it'

const STAGES = {
  'before anything': [OLDER],
  'with the new secret last': [OLDER, NEWER],
  'with the new secret first': [NEWER, OLDER],
  'with the new secret alone': [NEWER],
}
type Stage = keyof typeof STAGES
const [BEFORE, LAST, FIRST, ALONE] = Object.keys(STAGES) as [Stage, Stage, Stage, Stage]

describe.each(kinds)(
  'changing the secret of servers behind one address, on $name',
  { timeout: 60_000 },
  (kind) => {
    let store: StoreServer
    let servers: Server[]
    let rules: ResponseRules
    let visitors: number

    beforeAll(async () => {
      store = await kind.start()
    })
    afterAll(() => store.stop())
    beforeEach(async () => {
      rules = new ResponseRules()
      visitors = 0
      servers = await Promise.all([...adapters.keys()].map((index) => startServer(index, BEFORE)))
    })
    afterEach(() => Promise.all(servers.map((server) => server.stop())))

    it('G3: nobody is signed out and nothing is lost, whichever server answers', async () => {
      const people = [await signIn('reader'), await signIn('writer')]
      let writes = 0
      const browse = async () => {
        const [reader, writer] = people
        await expectOnAll(reader!, 'reader')
        for (const _ of servers) expect(await bodyOf(writer!, '/visit')).toBe(String(++writes))
        await expectOnAll(writer!, 'writer')
        for (const [index, each] of people.slice(2).entries()) await expectOnAll(each, `newcomer ${index}`)
      }
      await browse()
      for (const stage of [LAST, FIRST]) {
        await rollOut(stage, browse, async () => {
          people.push(await signIn(`newcomer ${people.length - 2}`))
        })
      }
      // The next commit reseals: a write of any kind, by whichever server.
      for (const each of people) expect(await bodyOf(each, '/visit')).toMatch(/^\d+$/)
      writes++
      await rollOut(ALONE, browse)
      await browse()
      const { setCookie } = await people[0]!.get('/sign-out')
      expect(setCookie).toContain('Max-Age=0')
      expect(await bodyOf(people[1]!, '/user')).toBe('writer')
    })

    it('G3: a session that was not written since counts as unknown once its secret is gone', async () => {
      const [reader, writer] = [await signIn('reader'), await signIn('writer')]
      await rollOut(LAST)
      await rollOut(FIRST)
      await writer.get('/visit')
      await expectOnAll(reader, 'reader')
      await rollOut(ALONE)
      const { cookie } = reader.jar
      await expectOnAll(writer, 'writer')
      await expectOnAll(reader, 'nobody')
      expect(await bodyOf(reader, '/visit')).toBe('1')
      expect(reader.jar.cookie).not.toBe(cookie)
    })

    it('E9, G3: revokeAll on any server ends all sessions of a user at every stage, and no others', async () => {
      let users = 0
      const other = await signIn('other', 'other')
      const revoke = async () => {
        // The one that is replaced first and the one that is replaced last: of two generations, while there are two.
        for (const { manager } of [servers[0]!, servers.at(-1)!]) {
          const user = `user ${++users}`
          const sessions = await Promise.all(servers.map(() => signIn(user, user)))
          for (const each of sessions) await expectOnAll(each, user)
          await manager.revokeAll(user)
          for (const each of sessions) await expectOnAll(each, 'nobody')
          await expectOnAll(await signIn(user, user), user)
        }
      }
      await revoke()
      await rollOut(LAST, undefined, revoke)
      await expectOnAll(other, 'other')
      const earlier = await signIn('earlier', 'user of before')
      await rollOut(FIRST, undefined, revoke)
      await expectOnAll(other, 'other')
      await servers[0]!.manager.revokeAll('user of before')
      await expectOnAll(earlier, 'nobody')
      await rollOut(ALONE, undefined, revoke)
    })

    it('E9, G3: a session stays listed under the secret that it was listed by, and ends with it', async () => {
      const listed = await signIn('u1', 'u1')
      await rollOut(LAST)
      await rollOut(FIRST)
      await listed.get('/visit')
      const listedSince = await signIn('u2', 'u2')
      await expectOnAll(listed, 'u1')
      await rollOut(ALONE)
      await expectOnAll(listed, 'nobody')
      await expectOnAll(listedSince, 'u2')
    })

    it('G3: in one deployment instead of two, servers that are still to come sign people out', async () => {
      await replace(0, FIRST)
      const [onTheNew, onAnOld] = servers.map(({ app }) => app)
      const newcomer = visitorOf(onTheNew!.fetch)
      await newcomer.get('/sign-in?user=newcomer')
      expect(await bodyOf(newcomer, '/user')).toBe('newcomer')
      const headers = { cookie: newcomer.jar.cookie! }
      expect((await onAnOld!.fetch('/user', { headers })).body).toBe('nobody')
      // Not only for the moment: what the old server begins takes the cookie's place.
      const { setCookie } = await onAnOld!.fetch('/visit', { headers })
      expect(setCookie).toMatch(/^__Host-session=[\w-]{43};/)
    })

    interface Server {
      app: App
      manager: SessionManager
      stop(): Promise<void>
    }

    /** Of each adapter one. */
    async function startServer(index: number, stage: Stage): Promise<Server> {
      const manager = createSessionManager({
        store: await kind.open(store.port),
        secret: STAGES[stage],
        onEvent: tellEvent,
      })
      const app = await adapters[index]!.start(manager, routes, rules)
      const stop = async () => {
        await app.close()
        await manager.close()
      }
      return { app, manager, stop }
    }

    /** One server after the other. `meanwhile` goes on while the next one starts, `between` once it has taken over. */
    async function rollOut(stage: Stage, meanwhile = noWork, between = noWork): Promise<void> {
      for (const index of servers.keys()) {
        await replace(index, stage, meanwhile)
        await between()
      }
    }

    async function replace(index: number, stage: Stage, meanwhile = noWork): Promise<void> {
      const [next] = await Promise.all([startServer(index, stage), meanwhile()])
      const [previous] = servers.splice(index, 1, next)
      await previous!.stop()
    }

    /** Whose every request goes to the next server; the first one to another than the last visitor's. */
    function visitor(): Visitor {
      let turn = visitors++
      return visitorOf((path, init) => servers[turn++ % servers.length]!.app.fetch(path, init))
    }

    async function signIn(user: string, id = ''): Promise<Visitor> {
      const each = visitor()
      await each.get(`/sign-in?${new URLSearchParams({ user, id })}`)
      return each
    }

    async function expectOnAll(each: Visitor, user: string): Promise<void> {
      for (const _ of servers) expect(await each.get('/user')).toMatchObject({ status: 200, body: user })
    }

    async function bodyOf(each: Visitor, path: string): Promise<string> {
      return (await each.get(path)).body
    }
  },
)

const noWork = async () => {}

const routes: Record<string, Route> = {
  '/sign-in': (session, { query }) => {
    const id = query.get('id')
    if (id) session.signIn(id)
    else session.regenerateId()
    session.set('user', query.get('user'))
    return {}
  },
  '/sign-out': (session) => {
    session.destroy()
    return {}
  },
  '/user': async (session) => ({ body: String((await session.get('user')) ?? 'nobody') }),
  '/visit': async (session) => ({ body: String(await session.update('n', (n: number = 0) => n + 1)) }),
}
