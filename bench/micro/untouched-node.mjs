// What holdfast/node adds to a request that leaves its session alone, in CPU and memory and without a network:
// npm run --silent build && npm ci --prefix bench &&
// NODE_ENV=production node --min-semi-space-size=256 --max-semi-space-size=256 bench/micro/untouched-node.mjs
import { IncomingMessage, ServerResponse } from 'node:http'
import { Writable } from 'node:stream'
import express from 'express'
import { createSessionManager, MemoryStore } from '../../dist/core/index.js'
import { session } from '../../dist/adapters/node.js'

const [ROUNDS, WARM_UP, REQUESTS] = [31, 10, 1_000]
const secret = 'sixty-four bytes would do as well as these'
const sessions = session(createSessionManager({ store: new MemoryStore(), secret }))
/** After Express has changed its prototype a request has a hidden class of its own for each property that is set. */
const assignment = (request, _response, next) => {
  request.session = undefined
  next()
}
const answer = (_request, response) => response.end('the answer')
const send = (_request, response) => response.send('the answer')

const handlers = {
  'node:http, bare': answer,
  'node:http, sessions': (request, response) => sessions(request, response, () => answer(request, response)),
  'Express, bare': express().get('/', send),
  'Express, request.session = undefined': express().use(assignment).get('/', send),
  'Express, sessions': express().use(sessions).get('/', send),
}

/** Takes all, at once. */
const socket = new Writable({ write: (_chunk, _encoding, done) => done() })
const measured = new Map(Object.keys(handlers).map((name) => [name, { micros: [], bytes: [] }]))
for (let round = -WARM_UP; round < ROUNDS; round++) {
  for (const [name, handler] of Object.entries(handlers)) {
    const { micros, bytes } = await measure(handler)
    if (round < 0) continue
    measured.get(name).micros.push(micros)
    measured.get(name).bytes.push(bytes)
  }
}
for (const [name, { micros, bytes }] of measured) {
  console.log(`${name}: ${median(micros).toFixed(1)} µs, ${Math.round(median(bytes))} bytes`)
}

/** The young generation is so large that next to nothing is collected within a round; the median leaves those out. */
async function measure(handler) {
  const heap = process.memoryUsage().heapUsed
  const before = process.cpuUsage()
  for (let request = 0; request < REQUESTS; request++) await answered(handler)
  const { user, system } = process.cpuUsage(before)
  return {
    micros: (user + system) / REQUESTS,
    bytes: (process.memoryUsage().heapUsed - heap) / REQUESTS,
  }
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
