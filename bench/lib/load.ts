import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const IN_FLIGHT = 32

export interface Load {
  url: string
  path: string
  /** One Cookie header a line; visitors take turns. Without it, none is sent. */
  cookieFile?: string | undefined
  /** What turn to begin with, from 0 and again and again through all visitors. Default 0. */
  firstTurn?: number
  /** A multiple of 0.1. Default 1. */
  seconds?: number
  /** Requests at a time. Default {@link IN_FLIGHT}. */
  connections?: number
}

/** Loads a server with wrk, on one thread. Throws when any request fails or is answered with anything but success. */
export async function load({
  url,
  path,
  cookieFile,
  firstTurn = 0,
  seconds = 1,
  connections = IN_FLIGHT,
}: Load): Promise<{ requests: number; seconds: number }> {
  const args = ['-t1', `-c${connections}`, `-d${Math.ceil(seconds) + 1}s`, '-s', script, url, '--', path]
  if (cookieFile !== undefined) args.push(cookieFile, String(firstTurn))
  const running = run('wrk', args)
  // It takes whole seconds alone, but looks at each tenth of one whether it was interrupted. Its own end is for when we end first.
  setTimeout(() => running.child.kill('SIGINT'), seconds * 1000 - 50)
  const { stdout } = await running
  const [, requests, microseconds, failed] = /^DONE (\d+) (\d+) (\d+)$/m.exec(stdout)!.map(Number)
  if (failed! > 0 || requests === 0)
    throw new Error(`${url}${path}: ${failed} of ${requests} requests failed`)
  return { requests: requests!, seconds: microseconds! / 1e6 }
}

const run = promisify(execFile)
const script = fileURLToPath(new URL('turns.lua', import.meta.url))
