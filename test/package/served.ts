import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../support/free-port.ts'

/** Runs a program that serves `PORT`, and visits it three times with the cookie it gives; what it answered. */
export async function visitThrice(cwd: string, command: string, ...args: string[]): Promise<string[]> {
  const port = await freePort()
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, PORT: String(port), NODE_OPTIONS: undefined },
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
  try {
    const url = `http://localhost:${port}`
    for (const deadline = AbortSignal.timeout(20_000); !(await answers(url)); await sleep(20)) {
      if (child.exitCode !== null || deadline.aborted) throw new Error(`it does not serve: ${output}`)
    }
    const bodies = []
    let cookie = ''
    for (let visit = 0; visit < 3; visit++) {
      const response = await fetch(url, { headers: { cookie } })
      cookie = response.headers.getSetCookie()[0]?.split(';')[0] ?? cookie
      bodies.push(await response.text())
    }
    return bodies
  } finally {
    endsWithUs()
    await exited
    process.off('exit', endsWithUs)
  }
}

function answers(url: string): Promise<boolean> {
  return fetch(`${url}/favicon.ico`).then(
    () => true,
    () => false,
  )
}
