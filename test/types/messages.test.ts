import { execFile } from 'node:child_process'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/** A mistake in a program, and the last line of what the compiler says: the one that is read. */
const mistakes: [mistake: string, code: string, lastLine: string][] = [
  [
    'a Date in the data',
    'createSessionManager<{ at: Date }>()',
    `Type 'Date' is not assignable to type '"a session holds JSON: store a Date as a number or an ISO string"'.`,
  ],
  [
    'a Date beside a string',
    'createSessionManager<{ at?: Date | string }>()',
    `Type 'string' is not assignable to type '"a session holds JSON: store a Date as a number or an ISO string"'.`,
  ],
  [
    'a Date deep inside',
    'createSessionManager<{ orders: { at: Date }[] }>()',
    `Type 'Date' is not assignable to type '"a session holds JSON: store a Date as a number or an ISO string"'.`,
  ],
  [
    'a Map for Hono',
    'honoSession<{ seen: Map<string, number> }>()',
    `Type 'Map<string, number>' is not assignable to type '"a session holds JSON: store a Map or Set as an array"'.`,
  ],
  [
    'a bigint for Koa',
    'koaSession<{ id: bigint }>()',
    `Type 'bigint' is not assignable to type '"a session holds JSON: store a string instead of a bigint or symbol"'.`,
  ],
  [
    'bytes for fetch',
    'withSession<{ avatar: Uint8Array }>({}, () => new Response())',
    `Type 'Uint8Array<ArrayBufferLike>' is not assignable to type '"a session holds JSON: store bytes as a base64 string"'.`,
  ],
  [
    'a function',
    'createSessionManager<{ log: () => void }>()',
    `Type '() => void' is not assignable to type '"a session holds JSON: functions cannot be stored"'.`,
  ],
  [
    'a key that is not there, in Hono',
    "app.get('/', async (c) => c.json(await c.var.session.get('user')))",
    `Argument of type '"user"' is not assignable to parameter of type '"cart" | "userId"'.`,
  ],
  [
    'a key that is not there, in Koa',
    "new Koa().use(koaSession<Data>()).use((ctx) => ctx.session.delete('user'))",
    `Argument of type '"user"' is not assignable to parameter of type '"cart" | "userId"'.`,
  ],
  [
    'a value of another type',
    "app.get('/', (c) => c.body(c.var.session.set('userId', 1) ?? null))",
    `Argument of type 'number' is not assignable to parameter of type 'string'.`,
  ],
  [
    'an option that is not there',
    'createSessionManager({ ttl: 60 })',
    `Object literal may only specify known properties, and 'ttl' does not exist in type 'SessionManager<Record<string, any>> | SessionOptions'.`,
  ],
  [
    'an app without the middleware',
    "new Hono().get('/', async (c) => c.json(await c.var.session.get('userId')))",
    `Property 'session' does not exist on type 'Readonly<ContextVariableMap>'.`,
  ],
]

const preamble = `
import { Hono } from 'hono'
import Koa from 'koa'
import { createSessionManager } from 'holdfast'
import { withSession } from 'holdfast/fetch'
import { session as honoSession } from 'holdfast/hono'
import { session as koaSession } from 'holdfast/koa'
type Data = { userId: string; cart: string[] }
const app = new Hono().use(honoSession<Data>())
export const all = [app, createSessionManager, withSession, koaSession, Koa]
`

describe('what the compiler says', () => {
  let folder: string
  let said: Map<string, string[]>
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-types-'))
    await symlink(resolve('node_modules'), join(folder, 'node_modules'))
    // Without one of its own, what lies above the folder decides whether its files are ES modules.
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
    const config = { extends: resolve('tsconfig.json'), compilerOptions: { rootDir: '/' }, include: ['*.ts'] }
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config))
    await writeFile(join(folder, 'sound.ts'), preamble)
    for (const [index, [, code]] of mistakes.entries()) {
      await writeFile(join(folder, `mistake-${index}.ts`), preamble + code)
    }
    said = byFile(await compile(folder))
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('is nothing about a sound program', () => {
    expect([...said.keys()].toSorted()).toEqual(mistakes.map((_, index) => `mistake-${index}.ts`).toSorted())
  })

  it.each(mistakes.map(([mistake, , lastLine], index) => [mistake, `mistake-${index}.ts`, lastLine]))(
    'is readable for %s',
    (_, file, lastLine) => {
      const lines = said.get(file!) ?? []
      expect(lines.at(-1)).toContain(lastLine)
      expect(lines.filter((line) => line.includes('error TS'))).toHaveLength(1)
    },
  )
})

function compile(folder: string): Promise<string> {
  const args = [resolve('node_modules/.bin/tsc'), '--pretty', 'false']
  return new Promise((done) => {
    execFile(process.execPath, args, { cwd: folder }, (_failed, stdout, stderr) => done(stdout + stderr))
  })
}

/** The lines about each file: those that begin with its name, and the indented ones that explain them. */
function byFile(output: string): Map<string, string[]> {
  const lines = new Map<string, string[]>()
  let file = ''
  for (const line of output.trimEnd().split('\n')) {
    file = /^([\w.-]+)\(\d+,\d+\): /.exec(line)?.[1] ?? file
    lines.set(file, [...(lines.get(file) ?? []), line])
  }
  return lines
}
