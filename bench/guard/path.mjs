// One path through the library, again and again; guard.mjs counts what that takes. Prints the bytes a time it allocates.
import { createSessionManager, MemoryStore } from '../../dist/core/index.js'

const [path, times] = [process.argv[2], Number(process.argv[3])]
let clock = 1_750_000_000_000
const manager = createSessionManager({
  store: new MemoryStore(),
  secret: 'sixty-four bytes would do as well as these',
  now: () => clock,
})
const headers = { get: () => null, set() {}, append() {} }
const response = () => ({ status: 200, headers })
const cookie = await signIn()

const paths = {
  /** A cookie is sent, and the handler leaves the session alone. */
  async untouched() {
    await manager.commit(manager.open(cookie), response)
  },
  async read() {
    const session = manager.open(cookie)
    await session.get('userId')
    await manager.commit(session, response)
  },
  async write() {
    // Quiet for so long that the record does not remember the write before.
    clock += 3_000
    const session = manager.open(cookie)
    await session.update('views', (views = 0) => views + 1)
    await manager.commit(session, response)
  },
}

const run = paths[path]
// Until it is compiled for good.
for (let time = 0; time < 1_000; time++) await run()
const before = process.memoryUsage().heapUsed
for (let time = 0; time < times; time++) await run()
console.log((process.memoryUsage().heapUsed - before) / times)

async function signIn() {
  const headers = new Headers()
  const session = manager.open(undefined)
  for (const [key, value] of Object.entries({ userId: 'u1', cart: ['rope', 'anchor'], views: 0 }))
    session.set(key, value)
  await manager.commit(session, () => ({ status: 200, headers }))
  return headers.get('set-cookie').split(';')[0]
}
