import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { IN_FLIGHT, load } from '../lib/load.ts'
import { startServer, type ServerProcess } from '../lib/server-process.ts'
import type { Keeper } from './keepers.ts'
import { keepsSessions, type Peer } from './peers.ts'
import type { Scenario, Visitors } from './scenarios.ts'
import { checkSessions, checkSignedIn, signIn } from './visitor.ts'

/** What one peer did under one scenario, from when it was loaded until it was not. */
export interface Stretch {
  requests: number
  seconds: number
  /** Microseconds of the server's CPU. */
  cpu: number
  /** Of memcached or Redis. */
  commands: number
  /** To it. */
  connections: number
}

const SIGN_INS_AT_A_TIME = 16
const SETTLE_MS = 20

/** A peer's running server, and its visitors. */
export class Subject {
  readonly peer: Peer
  readonly #server: ServerProcess
  readonly #keeper: Keeper
  readonly #folder: string
  readonly #visitors = new Map<Visitors, { cookies: string[]; file: string; turns: number }>()

  private constructor(peer: Peer, server: ServerProcess, keeper: Keeper, folder: string) {
    this.peer = peer
    this.#server = server
    this.#keeper = keeper
    this.#folder = folder
  }

  /** Cookies are kept in the folder. */
  static async start(peer: Peer, keeper: Keeper, folder: string): Promise<Subject> {
    return new Subject(peer, await startOn(keeper, peer), keeper, folder)
  }

  /** Once. */
  async signIn(visitors: Visitors): Promise<void> {
    if (this.#visitors.has(visitors)) return
    const cookies: string[] = []
    let begun = 0
    const worker = async () => {
      while (begun < visitors.count) {
        const visitor = begun++
        cookies[visitor] =
          this.peer.sessions === 'none'
            ? `session=${String(visitor).padStart(43, '0')}`
            : (await signIn(this.#server.url, visitors.signInPath)).cookie
      }
    }
    await Promise.all(Array.from({ length: SIGN_INS_AT_A_TIME }, worker))
    const file = join(this.#folder, `${this.peer.name}-${visitors.name}`)
    await writeFile(file, cookies.join('\n'))
    this.#visitors.set(visitors, { cookies, file, turns: 0 })
  }

  async measure(scenario: Scenario, seconds: number): Promise<Stretch> {
    const before = await this.#figures()
    const loaded = await this.load(scenario, seconds)
    const after = await this.#figures()
    return {
      ...loaded,
      cpu: after.cpu - before.cpu,
      commands: after.commands - before.commands,
      // Less the one that asked for these figures.
      connections: after.connections - before.connections - 1,
    }
  }

  async load({ path, visitors }: Scenario, seconds: number): Promise<{ requests: number; seconds: number }> {
    const signedIn = visitors && this.#visitors.get(visitors)!
    const { file: cookieFile, turns: firstTurn = 0 } = signedIn ?? {}
    const loaded = await load({ url: this.#server.url, path, cookieFile, firstTurn, seconds })
    // What was in flight is not counted, but has had its turn and is answered: with this stretch, not with the next.
    await sleep(SETTLE_MS)
    if (signedIn) signedIn.turns += loaded.requests + IN_FLIGHT
    return loaded
  }

  /** Throws when a visitor has lost the session. */
  async check(): Promise<void> {
    if (!keepsSessions(this.peer)) return
    for (const { cookies } of this.#visitors.values()) {
      await checkSignedIn(this.#server.url, cookies[0]!).catch((error: unknown) => {
        throw new Error(`${this.peer.name} has forgotten its visitors`, { cause: error })
      })
    }
  }

  stop(): Promise<void> {
    return this.#server.stop()
  }

  async #figures() {
    return { cpu: await this.#server.cpu(), ...(await this.#keeper.figures()) }
  }
}

/** Throws when the peer keeps no sessions there; empties it, and so takes another process than those measured. */
export async function tryOut(peer: Peer, keeper: Keeper): Promise<void> {
  if (!keepsSessions(peer)) return
  const server = await startOn(keeper, peer)
  await checkSessions(server.url, () => keeper.empty()).catch((error: unknown) => {
    throw new Error(`${peer.name} keeps no sessions`, { cause: error })
  })
  await server.stop()
}

function startOn({ env }: Keeper, peer: Peer): Promise<ServerProcess> {
  return startServer(peer, env)
}
