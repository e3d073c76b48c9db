import { randomUUID } from 'node:crypto'
import type { Session } from 'holdfast'
import type { SessionRequest } from 'holdfast/node'

type Data = { oauth: { state: string; verifier: string } }
type Request = SessionRequest<Data>
type Done<Value> = (error: unknown, value?: Value) => void

/** For a strategy with `pkce: true`, which counts these parameters: five here, three there. */
export const stateStore = {
  store({ session }: Request, verifier: string, _state: unknown, _meta: unknown, done: Done<string>) {
    const state = randomUUID()
    session.set('oauth', { state, verifier })
    done(null, state)
  },
  verify({ session }: Request, state: unknown, done: Done<string | false>) {
    spend(session, state).then((verifier) => done(null, verifier), done)
  },
}

async function spend(session: Session<Data>, state: unknown): Promise<string | false> {
  const pending = await session.get('oauth')
  if (pending === undefined || pending.state !== state) return false
  await session.take('oauth')
  await session.save() // spent: it rejects where another request has spent it first
  return pending.verifier
}
