import { onTestFinished } from 'vitest'
import { foundReply, replyTo, startFakeServer, type FakeRequest } from '../support/fake-server.ts'
import { describeAttacks } from './attack.ts'
import type { Site } from './site.ts'

describeAttacks(
  'Who answers in place of memcached',
  [
    {
      title: 'S40, S43, F2, F6: lies about lengths, repeats himself, or says nothing',
      run: answerWithLies,
      without: [
        {
          defence: 'deadlines',
          removed: [
            {
              file: 'src/core/stores/memcached/link.ts',
              piece: "if (deadline === undefined || this.#stage === 'ended') return\n",
              replacement: 'if (deadline !== null) return\n',
            },
            {
              file: 'src/core/record/record-io.ts',
              piece: 'within(timeLeft, run, failure)',
              replacement: 'run()',
            },
          ],
          gain: /^nothing: it hangs$/,
        },
      ],
    },
  ],
  ['Hono', 'Koa'],
)

const lies: Record<string, (request: FakeRequest) => Uint8Array> = {
  'a body of 4 GiB': (request) => replyTo(request, { bodyLength: 0xffffffff }),
  'a body of 1 GiB that never comes': (request) => replyTo(request, { bodyLength: 2 ** 30 }),
  'extras longer than the body': (request) => replyTo(request, { extrasLength: 255 }),
  'another key than the body holds': (request) => replyTo(request, { keyLength: 65_535 }),
  'another magic': (request) => replyTo(request, { magic: 0 }),
  'another opcode': (request) => replyTo(request, { opcode: 0xff }),
  'another opaque': (request) => replyTo(request, { opaque: Buffer.from('ffffffff', 'hex') }),
  'a status that does not exist': (request) => replyTo(request, { status: 0xffff }),
  'version 0': (request) => replyTo(request, { extras: Buffer.alloc(4), version: Buffer.alloc(8) }),
  'five megabytes of noise': (request) => foundReply(request, Buffer.alloc(5_000_000, 0x01)),
  'itself': (request) => foundReply(request, request.value),
  'two replies': (request) => Buffer.concat([foundReply(request, Buffer.of(1)), foundReply(request, Buffer.of(1))]),
  'HTTP': () => Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
  'nothing': () => Buffer.alloc(0),
} // prettier-ignore

const PATIENCE_MS = 2_500

/** He is believed when he says that he keeps something; otherwise visitors are unknown or the store cannot be asked. */
async function answerWithLies(site: Site): Promise<string[]> {
  const gains = await Promise.all(
    Object.entries(lies).map(async ([name, lie]) => {
      const fake = await startFakeServer((request) => void request.socket.write(lie(request)))
      onTestFinished(() => fake.close())
      const { url, visitor } = await site.another({ port: fake.port, timeoutMs: 150 })
      const alice = visitor(`__Host-session=${'A'.repeat(43)}`)
      const headers = { Cookie: alice.cookie! }
      for (const path of ['/all', '/set?key=card&value=4111', '/sign-out']) {
        const answer = await fetch(url + path, { headers, signal: AbortSignal.timeout(PATIENCE_MS) }).catch(
          () => undefined,
        )
        if (!answer) return [`${name}: it hangs`]
        const [body, setCookie] = [await answer.text(), answer.headers.get('set-cookie')]
        const isRight = answer.status === 200 ? path !== '/all' || body === '{}' : answer.status === 503
        if (!isRight) return [`${name}: ${answer.status} with ${body} and ${setCookie}`]
      }
      return (await alice.open('/untouched')).status === 200 ? [] : [`${name}: every page is lost`]
    }),
  )
  return gains.flat()
}
