import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { say } from './project.ts'

const FOLDER = 'test/recipes/running'
const judges = resolve('test/package/node_modules')

describe('the files of docs/running.md', { timeout: 60_000 }, () => {
  const typed = join(judges, 'kubernetes.ts')
  afterAll(() => rm(typed, { force: true }))

  /** What Kubernetes would drop or refuse: a name that it does not know, a value of another kind. */
  async function complaints(yaml: string): Promise<string[]> {
    const script = 'console.log(JSON.stringify(Bun.YAML.parse(await Bun.stdin.text())))'
    const bun = 'test/runtimes/node_modules/.bin/bun'
    const documents: { apiVersion: string; kind: string }[] = JSON.parse(
      execFileSync(bun, ['-e', script], { input: yaml, encoding: 'utf8' }),
    )
    const lines = documents.flatMap(({ apiVersion, ...rest }, index) => [
      `import type { ${rest.kind} as Kind${index} } from 'kubernetes-types/${apiVersion.replace(/^(\w+)\.k8s\.io/, '$1').replace(/^v1$/, 'core/v1')}'`,
      `export const document${index}: Kind${index} = ${JSON.stringify({ apiVersion, ...rest })}`,
    ])
    await writeFile(typed, lines.join('\n'))
    const options = [
      '--noEmit',
      '--strict',
      '--ignoreConfig',
      '--module',
      'esnext',
      '--moduleResolution',
      'bundler',
      '--types',
      '',
    ]
    const said = await say(process.execPath, [resolve('node_modules/.bin/tsc'), ...options, typed])
    return said.split('\n').filter((line) => line.includes('error TS'))
  }

  const kubernetes = readFileSync(join(FOLDER, 'kubernetes.yaml'), 'utf8')

  it('kubernetes.yaml has nothing that Kubernetes does not know', async () => {
    expect(await complaints(kubernetes)).toEqual([])
  })

  it('a name that it does not know, or a value of another kind, would be found', async () => {
    const [complaint] = await complaints(kubernetes.replace('containerPort:', 'containerPorts:'))
    expect(complaint).toContain('containerPorts')
    expect(await complaints(kubernetes.replace(/replicas: \d+/, 'replicas: many'))).toHaveLength(1)
  })

  it('Dockerfile pleases dockerfile-utils, which would find an instruction that there is not', () => {
    const { validate } = createRequire(join(judges, 'index.js'))('dockerfile-utils')
    const text = readFileSync(join(FOLDER, 'Dockerfile'), 'utf8')
    expect(validate(text)).toEqual([])
    expect(validate(text.replace('WORKDIR', 'WORKFOLDER'))).toHaveLength(1)
  })
})
