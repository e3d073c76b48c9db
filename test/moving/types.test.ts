import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const run = promisify(execFile)
const guide = await readFile('docs/moving-in.md', 'utf8')

const clashes: [what: string, code: string, said: string | undefined][] = [
  [
    'a declaration of `request.session`',
    `import 'express-session'
     import type { Session } from 'holdfast'
     declare global {
       namespace Express {
         interface Request {
           session: Session<{ cart: string[] }>
         }
       }
     }`,
    `Property 'session' must be of type 'Session & Partial<SessionData>'`,
  ],
  [
    'a use of it, not declared',
    `import 'express-session'
     import express from 'express'
     express().get('/', ({ session }) => session.get('cart'))`,
    `Property 'get' does not exist on type 'Session & Partial<SessionData>'`,
  ],
  [
    'a declaration of data that stayed when the types went',
    `declare module 'express-session-that-went' {
       interface SessionData {
         cart: string[]
       }
     }
     export {}`,
    `Invalid module name in augmentation, module 'express-session-that-went' cannot be found.`,
  ],
  [
    'another name',
    `import 'express-session'
     import express from 'express'
     import type { Session } from 'holdfast'
     import { session } from 'holdfast/node'
     declare global {
       namespace Express {
         interface Request {
           visit: Session<{ cart: string[] }>
         }
       }
     }
     express().use(session({}, { as: 'visit' })).get('/', ({ visit }) => visit.get('cart'))`,
    undefined,
  ],
  [
    'the program that carries over',
    `import 'express-session'
     import { fromExpressSession } from './from-express-session.ts'
     fromExpressSession(new (await import('express-session')).MemoryStore(), ['old'])`,
    undefined,
  ],
]

describe('with @types/express-session, the compiler', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-types-'))
    await symlink(resolve('test/moving/node_modules'), join(folder, 'node_modules'))
    for (const file of ['carry-over.ts', 'from-express-session.ts'])
      await cp(`test/recipes/moving-in/${file}`, join(folder, file))
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
    const compilerOptions = {
      rootDir: '/',
      typeRoots: [resolve('node_modules/@types')],
      paths: {
        holdfast: [resolve('src/core/index.ts')],
        'holdfast/node': [resolve('src/adapters/node.ts')],
      },
    }
    const settings = { extends: resolve('tsconfig.json'), compilerOptions, include: [], exclude: [] }
    for (const [index, [, code]] of clashes.entries()) {
      await writeFile(join(folder, `${index}.ts`), code)
      const project = JSON.stringify({ ...settings, files: [`${index}.ts`] })
      await writeFile(join(folder, `${index}.json`), project)
    }
  })
  afterAll(() => rm(folder, { recursive: true }))

  it.each(clashes.map(([what, , said], index) => ({ what, said, index })))(
    'says of $what what the guide says',
    async ({ said, index }) => {
      const compiler = resolve('node_modules/.bin/tsc')
      const compiled = await run(compiler, ['-p', join(folder, `${index}.json`)]).then(
        () => 'nothing',
        ({ stdout }) => stdout as string,
      )
      expect(compiled).toContain(said ?? 'nothing')
      if (said) expect(guide).toContain(said.replace('-that-went', ''))
    },
    60_000,
  )
})
