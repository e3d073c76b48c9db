import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

describe('a cluster of Node', () => {
  it('K2: a worker tells that its sessions are in a MemoryStore, the primary does not', () => {
    const script = resolve('test/support/cluster-of-one.ts')
    const env = { ...process.env, NODE_ENV: 'development' }
    const { stderr } = spawnSync(process.execPath, ['--import', 'tsx', script], { encoding: 'utf8', env })
    expect(stderr.trim().split('\n')).toEqual([
      expect.stringMatching(/^holdfast: sessions are kept in the memory of this process \(MemoryStore\): /),
    ])
  })
})
