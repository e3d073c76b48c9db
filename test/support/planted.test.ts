import { describe, expect, it } from 'vitest'
import * as sound from '../../src/core/brand.ts'
import { importPlanted } from './planted.ts'

const FILE = 'src/core/brand.ts'
const FAULT = { file: FILE, piece: 'PROTOCOL = 2', replacement: 'PROTOCOL = "planted"' }

describe('A build with a fault', () => {
  it('has it, and this build has not', async () => {
    expect(await importPlanted([FAULT], FILE)).toEqual([
      expect.objectContaining({ PROTOCOL: 'planted', brandOf: expect.any(Function) }),
    ])
    expect(sound.PROTOCOL).toBe(2)
  })

  it.each([
    ['whose piece is not there', { ...FAULT, piece: 'PROTOCOL = 0' }, 'holds 0 times'],
    ['whose piece is there again', { ...FAULT, piece: 'Symbol.for' }, /holds \d+ times/],
    ['whose file is not imported', { ...FAULT, file: 'src/core/errors.ts' }, 'is no part of'],
  ])('is refused one %s', async (_, fault, message) => {
    await expect(importPlanted([fault], FILE)).rejects.toThrow(message)
  })
})
