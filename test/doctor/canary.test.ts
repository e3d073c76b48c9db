import { describe, expect, it } from 'vitest'
import { runCanary } from '../../src/doctor/canary.ts'
import { unfit } from '../../src/doctor/finding.ts'
import { MemcachedStore } from '../../src/core/stores/memcached/memcached-store.ts'
import { foundReply, replyTo, type FakeRequest } from '../support/fake-server.ts'
import { useServers } from '../support/servers.ts'

const { onEnd, fake } = useServers()

type Answers = Partial<Record<number, (request: FakeRequest) => Buffer>>
const ADD = 0x02
const REPLACE = 0x03
const DELETE = 0x04
const GET_AND_TOUCH = 0x1d

// How it fares with a real memcached is in doctor.test.ts.
describe('runCanary', () => {
  it.each<[string, Answers, string]>([
    ['takes a write over an old version', {}, 'it took a write over an old version'],
    [
      'refuses every write',
      { [REPLACE]: (request) => replyTo(request, { status: 2 }) },
      'it refused a write over the newest version',
    ],
    [
      'gives back other bytes',
      { [GET_AND_TOUCH]: (request) => foundReply(request, Buffer.from('apples')) },
      'it gave back something else than was written',
    ],
    [
      'forgets at once',
      { [GET_AND_TOUCH]: (request) => replyTo(request, { status: 1 }) },
      'it gave back something else than was written',
    ],
    [
      'says of every key that it is taken',
      { [ADD]: (request) => replyTo(request, { status: 2 }) },
      'it takes a random key for taken',
    ],
    [
      'does not know get-and-touch',
      { [GET_AND_TOUCH]: (request) => replyTo(request, { status: 0x81 }) },
      'memcached refused: unknown command',
    ],
  ])('says that a server %s', async (_, answers, message) => {
    let written: Uint8Array = new Uint8Array()
    const found = (request: FakeRequest) => foundReply(request, written)
    const server = await fake((request) => {
      if (request.opcode === ADD || request.opcode === REPLACE) written = request.value
      const answer = answers[request.opcode] ?? (request.opcode === GET_AND_TOUCH ? found : replyTo)
      request.socket.write(answer(request))
    })
    const servers = [`127.0.0.1:${server.port}`]
    const store = new MemcachedStore({ servers, operationTimeoutMs: 5000 })
    onEnd(() => store.close())
    const explain = (topic: string, error: Error) => unfit(topic, error.message, '')
    expect(await runCanary(store, 250, explain)).toEqual(explain('operations', new Error(message)))
    const keys = new Set(server.requests.map(({ key }) => key))
    expect([...keys]).toEqual([expect.stringMatching(/^session:[\w-]{43}$/)])
    expect(server.requests.at(-1)!.opcode).toBe(DELETE)
  })
})
