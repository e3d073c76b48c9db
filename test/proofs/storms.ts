import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault, FaultProxy } from '../support/fault-proxy.ts'
import type { Cluster } from './cluster.ts'
import { ORDER } from './find-faults.ts'
import type { Entry, History, Step } from './history.ts'

const CLIENTS = 200
const CLIENTS_UNTIL_END = 50
const CLIENTS_OF_STALLED = 8

/** What each of many parallel requests does to the one session. */
export type Workload = (id: string, random: () => number) => Step[]

export const workloads: Record<string, Workload> = {
  'each its own key': (id) => [{ type: 'set', key: id, value: id }],
  'each one more on a counter': () => [{ type: 'increment', key: 'n' }],
  'sets, deletes, takes and updates of a few keys': (id, random) => {
    if (random() < 0.2) return [{ type: 'read' }]
    const steps: Step[] = [{ type: 'append', key: ORDER }]
    for (let count = Math.ceil(random() * 3); count > 0; count--) {
      const key = pick(['a', 'b', 'c'], random)
      steps.push(
        pick<() => Step>(
          [
            () => ({ type: 'set', key, value: `${id}-${count}` }),
            () => ({ type: 'set', key, value: `${id}-${count}` }),
            () => ({ type: 'delete', key }),
            () => ({ type: 'take', key }),
            () => ({ type: 'increment', key: 'n' }),
          ],
          random,
        )(),
      )
    }
    return steps
  },
}

export interface StormOptions {
  /** Whether the next request is to commit with `save()`. */
  isExplicit(): boolean
  random(): number
  /** How many requests each of the parallel clients makes, one after the other. Default 1. */
  rounds?: number
}

export type Storm = (cluster: Cluster, options: StormOptions) => Promise<History>

/** 200 clients of one session at once, amid faults where the network is faulty, and then a reader in each process. */
export async function storm(
  cluster: Cluster,
  workload: Workload,
  { isExplicit, random, rounds = 1 }: StormOptions,
): Promise<History> {
  const token = await begin(cluster)
  const client = async (index: number) => {
    for (let round = 0; round < rounds; round++) {
      const id = `r${index}.${round}`
      const request = { id, steps: workload(id, random), isExplicit: isExplicit() }
      await cluster.ask(index % cluster.processes, token, request)
    }
  }
  await amidFaults(cluster, random, async () => {
    await Promise.all(Array.from({ length: CLIENTS }, (_, index) => client(index)))
  })
  await readEverywhere(cluster, token)
  return cluster.takeHistory()
}

/** 50 clients that write on and on while one request ends the session, and twice more when it is over. */
export async function stormWithEnd(
  cluster: Cluster,
  end: 'destroy' | 'regenerate',
  { isExplicit, random }: StormOptions,
): Promise<History> {
  const token = await begin(cluster)
  let isOver = false
  let answered = 0
  let start!: () => void
  const isUnderWay = new Promise<void>((resolve) => (start = resolve))
  const client = async (index: number) => {
    for (let round = 0, left = 2; left > 0; round++) {
      if (isOver) left--
      const id = `r${index}.${round}`
      const steps: Step[] = random() < 0.2 ? [{ type: 'read' }] : [{ type: 'append', key: ORDER }]
      await cluster.ask(index % cluster.processes, token, { id, steps, isExplicit: isExplicit() })
      if (++answered === CLIENTS_UNTIL_END) start()
    }
  }
  const steps: Step[] = [{ type: end }]
  if (end === 'regenerate') steps.push({ type: 'append', key: ORDER })
  let tokenAfter: string | undefined
  const finish = async () => {
    await isUnderWay
    const done = await untilAnswered((attempt) =>
      cluster.ask(0, token, { id: `end.${attempt}`, steps, isExplicit: isExplicit() }),
    ).finally(() => (isOver = true))
    tokenAfter = done.setCookie
  }
  await amidFaults(cluster, random, async () => {
    await Promise.all([finish(), ...Array.from({ length: CLIENTS_UNTIL_END }, (_, index) => client(index))])
  })
  await readEverywhere(cluster, token)
  if (tokenAfter) await readEverywhere(cluster, tokenAfter)
  return cluster.takeHistory()
}

/**
 * Clients that write through one server, whose replies stand still while a sign-in through another carries over what was
 * written: a write that nobody acknowledged then meets the tombstone.
 */
export async function stormWithStall(
  cluster: Cluster,
  { isExplicit, random }: StormOptions,
): Promise<History> {
  const token = await begin(cluster)
  const [, proxy] = cluster.proxies
  const over = new AbortController()
  const client = async (index: number) => {
    for (let round = 0; !over.signal.aborted; round++) {
      const steps: Step[] = [{ type: 'append', key: ORDER }]
      await cluster.ask(1, token, { id: `r${index}.${round}`, steps, isExplicit: isExplicit() })
    }
  }
  const clients = Array.from({ length: CLIENTS_OF_STALLED }, (_, index) => client(index))
  await sleep(50 + random() * 50)
  proxy!.fault = { type: 'stall' }
  // What was under way has arrived by then.
  await sleep(20)
  const steps: Step[] = [{ type: 'regenerate' }, { type: 'append', key: ORDER }]
  const done = await untilAnswered((attempt) =>
    cluster.ask(0, token, { id: `end.${attempt}`, steps, isExplicit: isExplicit() }),
  )
  await sleep(cluster.heldMs)
  // Held replies are lost with their connections, not late.
  proxy!.fault = { type: 'refuse' }
  proxy!.fault = { type: 'none' }
  over.abort()
  await Promise.all(clients)
  await readEverywhere(cluster, token)
  await readEverywhere(cluster, done.setCookie!)
  return cluster.takeHistory()
}

export async function begin(cluster: Cluster, more: readonly Step[] = []): Promise<string> {
  const steps: Step[] = [...more, { type: 'set', key: 'user', value: 'u1' }, { type: 'append', key: ORDER }]
  const { setCookie } = await untilAnswered((attempt) =>
    cluster.ask(0, '', { id: `begin.${attempt}`, steps, isExplicit: false }),
  )
  return setCookie!
}

export async function readEverywhere(cluster: Cluster, token: string): Promise<void> {
  for (let server = 0; server < cluster.processes; server++) {
    await untilAnswered((attempt) => {
      const id = `${token.slice(0, 4)}.${server}.${attempt}`
      return cluster.ask(server, token, { id, steps: [{ type: 'read' }], isExplicit: false })
    })
  }
}

/** What a visitor does who is told 503; when the faults are over, a breaker may stay open for another second. */
export async function untilAnswered(ask: (attempt: number) => Promise<Entry>): Promise<Entry> {
  for (let attempt = 0; attempt < 300; attempt++) {
    const entry = await ask(attempt)
    if (entry.status === 200) return entry
    await sleep(20)
  }
  throw new Error('300 attempts, and none was answered')
}

export async function amidFaults(
  { proxies, loss }: Cluster,
  random: () => number,
  work: () => Promise<void>,
  longestMs = 150,
): Promise<void> {
  let isOver = false
  const disturbances = proxies.map((proxy) => disturb(proxy, loss, random, longestMs, () => isOver))
  try {
    await work()
  } finally {
    isOver = true
    await Promise.all(disturbances)
  }
}

/** Peace and a fault take turns, for at most so long each. */
async function disturb(
  proxy: FaultProxy,
  loss: Fault,
  random: () => number,
  longestMs: number,
  isOver: () => boolean,
): Promise<void> {
  while (!isOver()) {
    await sleep(random() * longestMs)
    proxy.fault = pick<Fault>(
      [
        loss,
        loss,
        { type: 'cut', after: random() * 3000, by: 'close' },
        { type: 'cut', after: random() * 3000, by: 'reset' },
        { type: 'stall' },
      ],
      random,
    )
    await sleep(random() * longestMs)
    proxy.fault = { type: 'none' }
  }
}

function pick<Item>(items: readonly Item[], random: () => number): Item {
  return items[Math.floor(random() * items.length)]!
}
