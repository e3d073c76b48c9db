// What holdfast/node adds to a request that leaves its session alone, without a network:
// npm run --silent build && npm ci --prefix bench && node --min-semi-space-size=256 --max-semi-space-size=256 bench/micro/untouched-node.mjs
import { IncomingMessage, ServerResponse } from 'node:http'
import { Writable } from 'node:stream'
import express from 'express'
import { createSessionManager, MemoryStore } from '../../dist/core/index.js'
import { session } from '../../dist/adapters/node.js'

const [ROUNDS, REQUESTS] = [21, 1_000]
const sessions = session(
  createSessionManager({ store: new MemoryStore(), secret: 'sixty-four bytes would do as well as these' }),
)
const answer = (_request, response) => response.end('the answer')
const send = (_request, response) => response.send('the answer')

const pairs = {
  'node:http': [answer, (request, response) => sessions(request, response, () => answer(request, response))],
  Express: [express().get('/', send), express().use(sessions).get('/', send)],
}

/** Takes all, at once: the young generation is large enough that nothing is collected within a round. */
const socket = new Writable({ write: (_chunk, _encoding, done) => done() })

for (const [name, handlers] of Object.entries(pairs)) {
  const results = handlers.map(() => ({ micros: [], bytes: [] }))
  for (let round = -10; round < ROUNDS; round++) {
    for (const [index, handler] of handlers.entries()) {
      const { micros, bytes } = await measure(handler)
      if (round < 0) continue
      results[index].micros.push(micros)
      results[index].bytes.push(bytes)
    }
  }
  const [bare, held] = results.map(({ micros, bytes }) => ({ micros: median(micros), bytes: median(bytes) }))
  console.log(
    `${name}: ${bare.micros.toFixed(2)} µs bare, ${held.micros.toFixed(2)} µs with sessions (× ${(held.micros / bare.micros).toFixed(3)}), ` +
      `${Math.round(held.bytes - bare.bytes)} bytes more`,
  )
}

async function measure(handler) {
  globalThis.gc?.({ type: 'minor' })
  const heap = process.memoryUsage().heapUsed
  const begin = process.hrtime.bigint()
  for (let request = 0; request < REQUESTS; request++) await answered(handler)
  const micros = Number(process.hrtime.bigint() - begin) / 1_000 / REQUESTS
  return { micros, bytes: (process.memoryUsage().heapUsed - heap) / REQUESTS }
}

function answered(handler) {
  const request = Object.assign(new IncomingMessage(socket), {
    method: 'GET',
    url: '/',
    httpVersionMajor: 1,
    httpVersionMinor: 1,
    headers: { host: 'localhost', cookie: 'theme=dark; consent=yes' },
  })
  const response = new ServerResponse(request)
  response.assignSocket(socket)
  return new Promise((resolve) => {
    response.once('finish', () => {
      response.detachSocket(socket)
      resolve()
    })
    handler(request, response)
  })
}

function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1]
}
