import { describe, expect, it } from 'vitest'
import { scratch } from '../../src/core/scratch.ts'

describe('scratch', () => {
  it('F6: gives each caller memory that nobody else was given', () => {
    const lengths = Array.from({ length: 500 }, (_, index) => (index * 37) % 700)
    const copies = lengths.map((length, index) => scratch(new Uint8Array(length).fill(index % 251)))
    for (const [index, copy] of copies.entries()) {
      expect(copy.length).toBe(lengths[index])
      expect(copy.every((byte) => byte === index % 251)).toBe(true)
    }
  })

  it('F6: gives what is long memory of its own, so that whoever keeps it keeps no more', () => {
    expect(scratch(new Uint8Array(4_096)).buffer.byteLength).toBe(16_384)
    expect(scratch(new Uint8Array(4_097)).buffer.byteLength).toBe(4_097)
  })

  it('M3: copies, part after part', () => {
    const parts = [Uint8Array.of(1, 2), Uint8Array.of(), Uint8Array.of(3)]
    const copy = scratch(...parts)
    for (const part of parts) part.fill(0)
    expect([...copy]).toEqual([1, 2, 3])
  })
})
