import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

/** What modules of this folder do when these files are imported in a fresh process: what, and where. */
function doneAtImport(folder: string, files: readonly string[]): [what: string, where: string][] {
  const script = resolve('test/support/at-import.mjs')
  const run = spawnSync(process.execPath, ['--import', 'tsx', script, folder, ...files], {
    encoding: 'utf8',
  })
  if (run.status !== 0) throw new Error(run.stderr)
  return JSON.parse(run.stdout)
}

describe('importing', () => {
  const folder = `${resolve('src')}/`
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    // The command runs when it is imported, which is all that it is for.
    .filter((file) => file.endsWith('.ts') && file !== 'doctor/cli.ts')

  it('every entry point is tried', () => {
    const { exports } = JSON.parse(readFileSync('package.json', 'utf8'))
    const entries = Object.values<string | { default: string }>(exports)
      .filter((entry) => typeof entry === 'object')
      .map((entry) => entry.default.replace('./dist/', '').replace('.js', '.ts'))
    expect(entries.length).toBeGreaterThan(6)
    expect(files).toEqual(expect.arrayContaining(entries))
  })

  it('runs nothing but constants: no timer, no randomness, no clock, no environment, no I/O', () => {
    expect(doneAtImport(folder, files.map((file) => folder + file))).toEqual([]) // prettier-ignore
  })

  it('would be caught at whatever it did', () => {
    const deeds = {
      setTimeout: 'setTimeout(() => {})',
      setInterval: 'clearInterval(setInterval(() => {}))',
      setImmediate: 'setImmediate(() => {})',
      queueMicrotask: 'queueMicrotask(() => {})',
      fetch: 'fetch("data:,").catch(() => {})',
      'Math.random': 'Math.random()',
      'performance.now': 'performance.now()',
      'Date.now': 'Date.now()',
      'new Date': 'new Date()',
      'crypto.getRandomValues': 'crypto.getRandomValues(new Uint8Array(1))',
      'crypto.randomUUID': 'crypto.randomUUID()',
      'crypto.subtle.digest': 'await crypto.subtle.digest("SHA-256", new Uint8Array(1))',
      'node:crypto.randomBytes': 'randomBytes(1)',
      'node:net.connect': 'connect(1, "127.0.0.1").on("error", () => {})',
      'node:tls.createSecureContext': 'createSecureContext({})',
      'node:fs.existsSync': 'existsSync("/")',
      'console.warn': 'console.warn("")',
      'process.on': 'process.on("exit", () => {})',
      'process.env': 'process.env.HOME',
    }
    const imports = `import { randomBytes } from 'node:crypto'
      import { existsSync } from 'node:fs'
      import { connect } from 'node:net'
      import { createSecureContext } from 'node:tls'`
    const elsewhere = mkdtempSync(join(realpathSync(tmpdir()), 'hold fast-'))
    try {
      writeFileSync(join(elsewhere, 'does.mjs'), [imports, ...Object.values(deeds)].join('\n'))
      writeFileSync(join(elsewhere, 'deeper.mjs'), "import './does.mjs'")
      const done = doneAtImport(`${elsewhere}/`, [join(elsewhere, 'deeper.mjs')])
      for (const what of Object.keys(deeds)) expect(done).toContainEqual([what, 'does.mjs'])
    } finally {
      rmSync(elsewhere, { recursive: true })
    }
  })
})
