import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { is32Bytes } from '../../../src/core/crypto/base64url.ts'
import { generateToken } from '../../../src/core/http/token.ts'

const SOURCES = new URL('../../../src/', import.meta.url)

describe('generateToken', () => {
  const tokens = Array.from({ length: 20_000 }, generateToken)

  it('B1: is 32 bytes in 43 characters of base64url', () => {
    for (const token of tokens.slice(0, 1000)) {
      expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/)
      const bytes = Buffer.from(token, 'base64url')
      expect(bytes).toHaveLength(32)
      expect(bytes.toString('base64url')).toBe(token)
    }
  })

  it('B1: never repeats', () => {
    expect(new Set(tokens).size).toBe(tokens.length)
  })

  it('B1: each of the 256 bits is set in half of the tokens, so none is fixed', () => {
    const counts = Array.from({ length: 256 }, () => 0)
    for (const token of tokens) {
      const bytes = Buffer.from(token, 'base64url')
      for (let bit = 0; bit < 256; bit++) counts[bit]! += (bytes[bit >> 3]! >> (bit & 7)) & 1
    }
    // 8 standard deviations of a fair coin (√20 000 / 2 ≈ 71): about 1e-13 for a false alarm.
    for (const count of counts) expect(Math.abs(count - tokens.length / 2)).toBeLessThan(566)
  })

  it('S3: neighbours share no more than chance does, so there is no time or counter in it', () => {
    const sharedBits = (left: string, right: string) => {
      const [a, b] = [Buffer.from(left, 'base64url'), Buffer.from(right, 'base64url')]
      let same = 256
      for (const [index, byte] of a.entries()) {
        for (let rest = byte ^ b[index]!; rest > 0; rest &= rest - 1) same--
      }
      return same
    }
    // 128 ± 8 are expected; 80 is 10 standard deviations above.
    for (let index = 1; index < tokens.length; index++) {
      expect(sharedBits(tokens[index - 1]!, tokens[index]!)).toBeLessThan(208)
    }
  })

  it('B1: no source uses randomUUID, and Math.random is for jitter alone', () => {
    const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.ts'),
    )
    const using = (pattern: RegExp) =>
      files.filter((file) => pattern.test(readFileSync(new URL(file, SOURCES), 'utf8')))
    expect(using(/getRandomValues/)).toContain('core/http/token.ts')
    expect(using(/randomUUID/)).toEqual([])
    const jittering = ['core/record/pause.ts', 'core/stores/breaker.ts']
    expect(using(/Math\s*\.\s*random|Math\[/).toSorted()).toEqual(jittering)
    for (const file of jittering) {
      const text = readFileSync(new URL(file, SOURCES), 'utf8')
      expect(text.match(/.*Math\.random.*/g)).toEqual([expect.stringMatching(/setTimeout\(|pauseMs/)])
    }
  })
})

describe('the shape of a token', () => {
  it('B2: takes what generateToken makes', () => {
    for (let round = 0; round < 1000; round++) expect(is32Bytes(generateToken())).toBe(true)
    expect(is32Bytes(`${'a'.repeat(41)}-_`)).toBe(true)
  })

  const rest = 'a'.repeat(42)
  it.each([
    ['the empty string', ''],
    ['42 characters', rest],
    ['44 characters', `${rest}aa`],
    ['a line feed after it', `${rest}a\n`],
    ['a line feed in place of a character', `${rest}\n`],
    ['a second line', `${rest}a\n${rest}a`],
    ['padding', `${rest}=`],
    ['base64 instead of base64url: +', `${rest}+`],
    ['base64 instead of base64url: /', `${rest}/`],
    ['a NUL', `${rest}\0`],
    ['a space', ` ${rest}`],
    ['a quote', `"${rest}`],
    ['a path', `../${'a'.repeat(40)}`],
    ['a percent escape', `%2e${'a'.repeat(40)}`],
    ['a memcached command', `a\r\nflush_all\r\n${'a'.repeat(29)}`],
    ['a letter that is not ASCII', `${rest}é`],
    ['a full-width digit', `${rest}\uFF11`],
    ['the Kelvin sign, which lowercases to k', `${rest}\u212A`],
  ])('B2: refuses %s', (_, value) => {
    expect(is32Bytes(value)).toBe(false)
  })
})
