import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { createSessionManager } from '../../src/core/index.ts'
import { MemcachedStore } from '../../src/core/stores/memcached/memcached-store.ts'

const FOLDER = 'test/recipes/running'
const BUN = 'test/runtimes/node_modules/.bin/bun'
const guide = readFileSync('docs/running.md', 'utf8')
const file = (name: string) => readFileSync(join(FOLDER, name), 'utf8')

/** Of the program: how long it may take to end. */
const graceMs = Number(/process\.exit\(\)\), (\S+)\)/.exec(file('server.ts'))![1]!.replace('_', ''))
const variables = ['SESSION_STORE', 'SESSION_SECRET_FILE']

describe('the configuration of pm2', () => {
  it('starts workers with what the manager reads, holds no secret, and lets them end', () => {
    const { apps } = createRequire(import.meta.url)(resolve(FOLDER, 'ecosystem.config.cjs'))
    const [{ env, ...app }] = apps
    expect(app).toMatchObject({ script: 'dist/server.js', exec_mode: 'cluster' })
    expect(app.kill_timeout).toBeGreaterThan(graceMs)
    expect(Object.keys(env)).toEqual(['NODE_ENV', 'PORT', ...variables])
    for (const name of variables) expect(file('manager.ts')).toContain(name)
    expect(() => new MemcachedStore(env.SESSION_STORE)).not.toThrow()
  })
})

/** What stands in a file of YAML, as Bun reads it. */
async function readYaml(name: string): Promise<any> {
  const script = 'console.log(JSON.stringify(Bun.YAML.parse(await Bun.file(process.argv[1]).text())))'
  const { stdout } = await promisify(execFile)(BUN, ['-e', script, join(FOLDER, name)])
  return JSON.parse(stdout)
}

/** As docs/memcached.md starts it, but for the address, which in a container is the container's own. */
const memcachedCommand = /^memcached -l .*$/m
  .exec(readFileSync('docs/memcached.md', 'utf8'))![0]
  .replace('127.0.0.1', '0.0.0.0')
  .split(' ')
const megabytes = Number(memcachedCommand[memcachedCommand.indexOf('-m') + 1])

describe('the secret', () => {
  it('that the page makes is one that a manager takes, as it is read, and that others cannot read', async () => {
    const [command] = /^.*openssl .* > session-secret.*$/m.exec(guide)!
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-secret-'))
    execFileSync('sh', ['-c', command], { cwd: folder })
    const secret = readFileSync(join(folder, 'session-secret'), 'utf8').trim()
    expect(statSync(join(folder, 'session-secret')).mode & 0o777).toBe(0o600)
    rmSync(folder, { recursive: true })
    const store = new MemcachedStore('memcached://127.0.0.1:11200')
    await createSessionManager({ store, secret }).close()
  })
})

describe('a container', () => {
  it('has the package and the program, runs it as nobody else, and gives it the signals', () => {
    const lines = file('Dockerfile').trim().split('\n')
    expect(lines.map((line) => line.split(' ')[0])).toEqual(
      'FROM WORKDIR ENV COPY RUN COPY USER EXPOSE CMD'.split(' '),
    )
    expect(lines.filter((line) => /^(COPY|USER|CMD)/.test(line))).toEqual([
      'COPY package.json package-lock.json ./',
      'COPY *.ts ./', // and no secret that lies beside them
      'USER node',
      expect.stringMatching(/^CMD \["node", .*"server\.ts"\]$/),
    ])
  })

  it('of compose.yaml has a memcached of its own, a secret from a file, and time to end', async () => {
    const { services, secrets } = await readYaml('compose.yaml')
    const { shop, sessions } = services
    expect(sessions.command).toEqual(memcachedCommand)
    expect(Number.parseInt(sessions.mem_limit)).toBeGreaterThan(megabytes * 1.2)
    expect(shop.environment).toEqual({
      SESSION_STORE: 'memcached://sessions:11200',
      SESSION_SECRET_FILE: `/run/secrets/${shop.secrets[0]}`,
    })
    expect(Object.keys(secrets)).toEqual(shop.secrets)
    expect(Number.parseInt(shop.stop_grace_period) * 1000).toBeGreaterThan(graceMs)
  })

  it('of compose.yaml is asked whether it is well, and that is no question to memcached', async () => {
    const { shop } = (await readYaml('compose.yaml')).services
    const [script, ...before] = (shop.healthcheck.test as string[]).toReversed()
    expect(before).toEqual(['-e', 'node', 'CMD'])
    const statusFor = async (url: string, status: number) => {
      expect(url).toBe('http://localhost:3000/healthz')
      return new Response(null, { status })
    }
    for (const [status, code] of [
      [200, 0],
      [503, 1],
    ] as const) {
      const run = new Function('fetch', 'process', script!)
      const exited = new Promise((exit) => run((url: string) => statusFor(url, status), { exit }))
      expect(await exited).toBe(code)
    }
    expect(file('app.ts').indexOf('/healthz')).toBeLessThan(file('app.ts').indexOf('session(manager)'))
  })
})

describe('what Kubernetes is given', () => {
  let service: any, memcacheds: any, budget: any, policy: any, shop: any
  beforeAll(async () => {
    ;[service, memcacheds, budget, policy, shop] = await readYaml('kubernetes.yaml')
  })

  it('starts memcached as its guide does, with room for more than its -m', () => {
    const [{ args, ports, resources }] = memcacheds.spec.template.spec.containers
    expect(args).toEqual(memcachedCommand)
    expect(ports[0].containerPort).toBe(11200)
    expect(Number.parseInt(resources.limits.memory)).toBeGreaterThan(megabytes * 1.2)
    expect(resources.requests.memory).toBe(resources.limits.memory)
  })

  it('lets nobody but the shop reach them', () => {
    expect(policy.kind).toBe('NetworkPolicy')
    expect(policy.spec).toEqual({
      podSelector: memcacheds.spec.selector,
      policyTypes: ['Ingress'],
      ingress: [
        {
          from: [{ podSelector: shop.spec.selector }],
          ports: [{ port: service.spec.ports[0].port }],
        },
      ],
    })
    expect(shop.spec.template.metadata.labels).toEqual(shop.spec.selector.matchLabels)
  })

  it('names each memcached, in the address that the shop has', () => {
    const { metadata, spec } = memcacheds
    expect(service.metadata.name).toBe(spec.serviceName)
    expect(service.spec).toMatchObject({ clusterIP: 'None', selector: spec.selector.matchLabels })
    expect(spec.template.metadata.labels).toEqual(spec.selector.matchLabels)
    expect(budget.spec).toEqual({ maxUnavailable: 1, selector: spec.selector })
    const names = Array.from(
      { length: spec.replicas },
      (_, index) => `${metadata.name}-${index}.${spec.serviceName}:${service.spec.ports[0].port}`,
    )
    const [{ env }] = shop.spec.template.spec.containers
    expect(env[0]).toEqual({ name: 'SESSION_STORE', value: `memcached://${names.join()}` })
    expect(() => new MemcachedStore(env[0].value)).not.toThrow()
  })

  it('gives the shop its secret, and time to end', () => {
    const { containers, volumes, terminationGracePeriodSeconds } = shop.spec.template.spec
    const [{ env, volumeMounts, lifecycle, readinessProbe }] = containers
    expect(env[1]).toEqual({
      name: 'SESSION_SECRET_FILE',
      value: `${volumeMounts[0].mountPath}/session-secret`,
    })
    expect(volumes[0]).toEqual({ name: volumeMounts[0].name, secret: { secretName: 'session-secret' } })
    expect(guide).toContain(
      'secret generic session-secret --from-file=session-secret\nkubectl apply -f kubernetes.yaml',
    )
    const [, seconds] = lifecycle.preStop.exec.command
    expect(terminationGracePeriodSeconds * 1000).toBeGreaterThan(Number(seconds) * 1000 + graceMs)
    expect(readinessProbe.httpGet).toEqual({ path: '/healthz', port: 3000 })
  })
})
