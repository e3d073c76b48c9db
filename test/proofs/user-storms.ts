import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from './cluster.ts'
import { ORDER } from './find-faults.ts'
import { isAcknowledged, type Entry, type History, type Step } from './history.ts'
import { amidFaults, begin, readEverywhere, untilAnswered, type Storm, type StormOptions } from './storms.ts'

const SIGN_INS = 50
/** Of these: begun when the others' revocation was answered, so that all of them live. */
const LATE_SIGN_INS = 10
const SIGN_OUTS = 20
const REVOCATIONS = 10
/** Sessions that nobody ends by name, the one that revokes all others among them. */
const STAYERS = 5
/** What a list may hold leaves no more for what is signed in before. */
const BEFORE = SIGN_OUTS + REVOCATIONS + STAYERS
/** In which all of it begins. */
const STORM_MS = 250
const LOOKS = 10
const CLICKS = 12
/** These storms are short. */
const LONGEST_FAULT_MS = 40

/** No user of one run is that of another: what a faulty network left on a list would be taken for a fault of the next. */
let runs = 0

/** One user's devices sign in, sign out and are revoked, all at once, one by one and but one, while others look. */
export const stormOfOneUser: Storm = async (cluster, { isExplicit, random }) => {
  const user = `u${++runs}`
  const signIn = (id: string, server: number) =>
    cluster.ask(server % cluster.processes, '', {
      id: `${user}.${id}`,
      steps: [{ type: 'sign-in', user }, { type: 'append', key: ORDER }],
      isExplicit: isExplicit(),
    }) // prettier-ignore
  const before: Entry[] = []
  for (let start = 0; start < BEFORE; start += 5) {
    const signIns = Array.from({ length: 5 }, (_, index) =>
      untilAnswered((attempt) => signIn(`before${start + index}.${attempt}`, index)),
    )
    before.push(...(await Promise.all(signIns)))
  }
  const tokens = before.map(({ setCookie }) => setCookie!)
  const own = tokens.at(-1)!
  const { listed } = await list(cluster, user, own, 0, 'first')
  const revoked = before.slice(SIGN_OUTS, SIGN_OUTS + REVOCATIONS)
  const lines = listed!.filter(({ label }) => revoked.some(({ id }) => id === label))
  const request = async (id: string, token: string, step: Step) => {
    const server = Math.floor(random() * cluster.processes)
    await sleep(random() * STORM_MS)
    await cluster.ask(server, token, { id: `${user}.${id}`, steps: [step], isExplicit: isExplicit() })
  }
  await amidFaults(
    cluster,
    random,
    async () => {
      const others = sleep(STORM_MS / 2).then(() => request('others', own, { type: 'revoke-others', user }))
      await Promise.all([
        others,
        ...Array.from({ length: SIGN_INS }, async (_, index) => {
          if (index < LATE_SIGN_INS) await others
          else await sleep(random() * STORM_MS)
          await signIn(`in${index}`, index)
        }),
        ...tokens
          .slice(0, SIGN_OUTS)
          .map((token, index) => request(`out${index}`, token, { type: 'destroy' })),
        ...lines.map(({ id }, index) => request(`revoke${index}`, own, { type: 'revoke', user, entry: id })),
        ...Array.from({ length: LOOKS }, (_, index) => request(`list${index}`, own, { type: 'list', user })),
        ...tokens.map((token, index) => request(`look${index}`, token, { type: 'read' })),
      ])
    },
    LONGEST_FAULT_MS,
  )
  return finish(cluster, user, own)
}

/** 50 devices at once, none of which had a session, through the first so many processes; each answer is one of theirs. */
export async function signInAtOnce(cluster: Cluster, processes: number): Promise<History> {
  const user = `u${++runs}`
  const steps: Step[] = [
    { type: 'sign-in', user },
    { type: 'append', key: ORDER },
  ]
  const entries = await Promise.all(
    Array.from({ length: SIGN_INS }, (_, index) =>
      cluster.ask(index % processes, '', { id: `${user}.in${index}`, steps, isExplicit: false }),
    ),
  )
  return finish(cluster, user, entries.find(isAcknowledged)?.setCookie ?? '')
}

/** A button that is clicked again and again, over one session whose cart it takes along. */
export const stormOfClicks: Storm = async (cluster, options) => {
  const user = `u${++runs}`
  const coupon: Step = { type: 'set', key: 'coupon', value: `${user}.coupon` }
  const old = await begin(cluster, [coupon])
  const click = (id: string, server: number) =>
    cluster.ask(server % cluster.processes, old, { id: `${user}.${id}`, ...clicked(user, options) })
  await amidFaults(
    cluster,
    options.random,
    async () => {
      await Promise.all(
        Array.from({ length: CLICKS }, async (_, index) => {
          await sleep(options.random() * 20)
          const { setCookie } = await click(`click${index}`, index)
          // As a browser would, which has the new cookie by now; but a click may have left before.
          if (setCookie)
            await cluster.ask(index % cluster.processes, setCookie, write(`${user}.write${index}`, options))
          if (index % 3 === 0) await click(`late${index}`, index + 1)
        }),
      )
    },
    LONGEST_FAULT_MS,
  )
  const last = await untilAnswered((attempt) =>
    cluster.ask(0, old, {
      id: `${user}.last.${attempt}`,
      steps: [{ type: 'sign-in', user }, { type: 'append', key: ORDER }],
      isExplicit: false,
    }),
  ) // prettier-ignore
  await readEverywhere(cluster, old)
  return finish(cluster, user, last.setCookie!)
}

function clicked(user: string, { isExplicit, random }: StormOptions): { steps: Step[]; isExplicit: boolean } {
  const steps: Step[] = [
    { type: 'sign-in', user },
    { type: 'increment', key: 'n' },
    { type: 'append', key: ORDER },
  ]
  if (random() < 0.5) return { steps, isExplicit: isExplicit() }
  return { steps: [...steps, { type: 'take', key: 'coupon' }], isExplicit: true }
}

function write(id: string, { isExplicit }: StormOptions) {
  const steps: Step[] = [
    { type: 'increment', key: 'n' },
    { type: 'append', key: ORDER },
  ]
  return { id, steps, isExplicit: isExplicit() }
}

/** Every token that was handed out is read once more, and the list by every process. */
async function finish(cluster: Cluster, user: string, own: string): Promise<History> {
  const history = await cluster.takeHistory()
  const given = new Set(history.filter(isAcknowledged).flatMap(({ setCookie }) => setCookie || []))
  let server = 0
  for (const token of given) await read(cluster, user, token, server++ % cluster.processes)
  for (let each = 0; each < cluster.processes; each++) await list(cluster, user, own, each, 'last')
  return [...history, ...(await cluster.takeHistory())]
}

function read(cluster: Cluster, user: string, token: string, server: number): Promise<Entry> {
  return untilAnswered((attempt) =>
    cluster.ask(server, token, {
      id: `${user}.read.${token.slice(0, 6)}.${attempt}`,
      steps: [{ type: 'read' }],
      isExplicit: false,
    }),
  )
}

function list(cluster: Cluster, user: string, token: string, server: number, when: string): Promise<Entry> {
  return untilAnswered((attempt) =>
    cluster.ask(server, token, {
      id: `${user}.${when}.${server}.${attempt}`,
      steps: [{ type: 'list', user }],
      isExplicit: false,
    }),
  )
}
