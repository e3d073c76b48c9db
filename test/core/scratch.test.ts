import { describe, expect, it } from 'vitest'
import { scratch, scratchOf } from '../../src/core/scratch.ts'

describe('scratch', () => {
  it('F6: gives each caller memory that nobody else was given', () => {
    const lengths = Array.from({ length: 500 }, (_, index) => (index * 37) % 700)
    const parts = lengths.map((length, index) => scratch(length).fill(index % 251))
    for (const [index, part] of parts.entries()) {
      expect(part.length).toBe(lengths[index])
      expect(part.every((byte) => byte === index % 251)).toBe(true)
    }
  })

  it('F6: gives what is long memory of its own, so that whoever keeps it keeps no more', () => {
    expect(scratch(4_096).buffer.byteLength).toBe(16_384)
    expect(scratch(4_097).buffer.byteLength).toBe(4_097)
  })

  it('M3: copies', () => {
    const bytes = Uint8Array.of(1, 2, 3)
    const copy = scratchOf(bytes)
    bytes.fill(0)
    expect([...copy]).toEqual([1, 2, 3])
  })
})
