import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../support/free-port.ts'

/** A program that serves, until it is stopped. */
export interface Served {
  url: string
  /** Asks it to end, by SIGTERM; the status it ended with, or the signal. */
  end(): Promise<number | NodeJS.Signals>
  stop(): Promise<void>
}

/** Starts a program that serves `PORT`, and waits until it does. */
export async function serve(
  cwd: string,
  command: readonly [string, ...string[]],
  env: (url: string) => Record<string, string | undefined> = () => ({}),
): Promise<Served> {
  const port = await freePort()
  const url = `http://localhost:${port}`
  const [program, ...args] = command
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, PORT: String(port), NODE_OPTIONS: undefined, ...env(url) },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own: npx and tsx start the program as a child of theirs.
    detached: true,
  })
  const endsWithUs = () => {
    try {
      process.kill(-child.pid!, 'SIGKILL')
    } catch {
      // All of it is gone already, or never was.
    }
  }
  process.once('exit', endsWithUs)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text))
  const exited = once(child, 'exit')
  const end = async () => {
    child.kill('SIGTERM')
    const [status, signal] = await exited
    return status ?? signal
  }
  const stop = async () => {
    endsWithUs()
    await exited
    process.off('exit', endsWithUs)
  }
  try {
    for (const deadline = AbortSignal.timeout(20_000); !(await answers(url)); await sleep(20)) {
      if (child.exitCode !== null || deadline.aborted) throw new Error(`it does not serve: ${output}`)
    }
    return { url, end, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Runs a program that serves `PORT`, and visits it three times with the cookie it gives; what it answered. */
export async function visitThrice(cwd: string, ...command: [string, ...string[]]): Promise<string[]> {
  const { url, stop } = await serve(cwd, command)
  try {
    const bodies = []
    let cookie = ''
    for (let visit = 0; visit < 3; visit++) {
      const response = await fetch(url, { headers: { cookie } })
      cookie = response.headers.getSetCookie()[0]?.split(';')[0] ?? cookie
      bodies.push(await response.text())
    }
    return bodies
  } finally {
    await stop()
  }
}

function answers(url: string): Promise<boolean> {
  return fetch(`${url}/favicon.ico`).then(
    () => true,
    () => false,
  )
}
