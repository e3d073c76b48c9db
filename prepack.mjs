// What npm publishes: a fresh dist/, less the declarations that no entry of the package leads to; llms.txt.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import './tools/llms.mjs'

rmSync('dist', { recursive: true, force: true })
const { status } = spawnSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' })
if (status !== 0) process.exit(1)

const { exports } = JSON.parse(readFileSync('package.json', 'utf8'))
const reached = new Set()
function reach(file) {
  if (reached.has(file)) return
  reached.add(file)
  for (const [, path] of readFileSync(file, 'utf8').matchAll(
    /(?:from |import\()['"](\.[^'"]+)\.[jt]s['"]/g,
  )) {
    reach(join(file, '..', `${path}.d.ts`))
  }
}
for (const { types } of Object.values(exports)) if (types) reach(join(types))
for (const name of readdirSync('dist', { recursive: true })) {
  const file = join('dist', name)
  if (file.endsWith('.d.ts') && !reached.has(file)) rmSync(file)
}
