import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/** Of the tests that write programs, start processes or set up servers, one of each kind, by file and title. */
const sensitive: Record<string, string[]> = {
  'test/types/messages.test.ts': ['is nothing about a sound program', 'is readable for a Date in the data'],
  'test/docs/memcached.test.ts': ['is fit, and the doctor', 'restarts warm with its signal', 'fit together'],
  'test/attacks/shared-cache.test.ts': ['succeeds without Vary: Cookie'],
  'test/core/stores/memcached/memcached-store.test.ts': ['never closes it ends by itself, after'],
  'test/core/stores/memcached/sasl.test.ts': ['M11: every operation works'],
  'test/doctor/cli.test.ts': ['with a wrong clock'],
  'test/docs/readme.test.ts': ['hono.ts counts views', 'fetch.ts counts views'],
  'test/examples-sqlite.test.ts': ['removes what ran out'],
  'test/two-copies.test.ts': ['handlers that two copies have wrapped join'],
  'test/browser/page.test.ts': ['in the order in which they are read'],
}

/** Too large to copy. */
const installed = ['node_modules', 'test/runtimes/node_modules']

describe('on a machine where nothing helps', () => {
  let folder: string
  let temporary: string
  let report: Report
  beforeAll(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-bare-')))
    temporary = join(folder, 'temporary files')
    await mkdir(temporary)
    const project = join(folder, 'the project')
    await copyProject(project)
    // Nothing to rely on, and what is further above counts no more. For TypeScript and Node, `{}` is as good as no file.
    await writeFile(join(folder, 'package.json'), '{}')
    await writeFile(join(folder, 'tsconfig.json'), '{ "compilerOptions": { "types": [] } }')
    report = await runTests(project, join(folder, 'report.json'), {
      PATH: [dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin'].join(':'),
      TMPDIR: temporary,
      HOME: '/dev/null',
      LC_ALL: 'de_DE.UTF-8',
      TZ: 'Asia/Kathmandu',
    })
  }, 180_000)
  afterAll(() => rm(folder, { recursive: true }))

  it.each(Object.entries(sensitive))('%s passes', (file, titles) => {
    const ran = report.get(file) ?? []
    expect(ran.flatMap(({ failureMessages }) => failureMessages)).toEqual([])
    for (const title of titles) expect(ran.filter(({ fullName }) => fullName.includes(title))).not.toEqual([])
  })

  it('nothing is left of them, nor written beside the temporary files', async () => {
    const ours = ['package.json', 'report.json', 'temporary files', 'the project', 'tsconfig.json']
    expect((await readdir(folder)).toSorted()).toEqual(ours)
    expect((await readdir(temporary)).filter((name) => name.startsWith('holdfast'))).toEqual([])
  })
})

async function copyProject(to: string): Promise<void> {
  const unwanted = new Set(['.git', 'node_modules'])
  await cp('.', to, { recursive: true, filter: (path) => !unwanted.has(basename(path)) })
  for (const path of installed) await symlink(resolve(path), join(to, path))
}

interface Ran {
  fullName: string
  status: string
  failureMessages: string[]
}

/** The tests that ran, by file. */
type Report = Map<string, Ran[]>

async function runTests(project: string, to: string, env: Record<string, string>): Promise<Report> {
  const titles = Object.values(sensitive).flat()
  const options = ['--maxWorkers=1', '--reporter=json', `--outputFile=${to}`, '-t', titles.join('|')]
  const vitest = [resolve('node_modules/vitest/vitest.mjs'), 'run', ...options, ...Object.keys(sensitive)]
  const said = await new Promise<string>((done) => {
    execFile(process.execPath, vitest, { cwd: project, env, timeout: 170_000 }, (_failed, stdout, stderr) =>
      done(stdout + stderr),
    )
  })
  const text = await readFile(to, 'utf8').catch(() => Promise.reject(new Error(said)))
  const { testResults } = JSON.parse(text) as {
    testResults: { name: string; message: string; assertionResults: Ran[] }[]
  }
  return new Map(
    testResults.map(({ name, message, assertionResults }) => {
      const ran = assertionResults.filter(({ status }) => status === 'passed' || status === 'failed')
      // Of a file that could not begin.
      const broken = { fullName: '', status: 'failed', failureMessages: [message] }
      return [relative(project, name), message ? [...ran, broken] : ran]
    }),
  )
}
